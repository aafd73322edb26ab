"""An ingress that is told its names refuses what a web page makes a browser send."""

from __future__ import annotations

import httpx
import pytest

from ingress.app import create_app

WEBHOOK = {"content-type": "application/json", "x-gitlab-event": "Push Hook"}
ROUTES = [
    ("POST", "/"),
    ("POST", "//"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/x"),
]
FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": ""},
    {"Host": "[::1"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Host": "evil.example:8000", "Origin": "http://evil.example:8000", "Sec-Fetch-Site": "same-origin"},
]


@pytest.fixture
async def web(make_settings):
    app = create_app(make_settings(HOOKYARD_ALLOWED_HOSTS="127.0.0.1, LOCALHOST,[::1]"))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client


async def test_every_route_refuses_a_foreign_host_and_a_foreign_origin(web, listing):
    for method, path in ROUTES:
        for headers in FOREIGN:
            answer = await web.request(method, path, headers={**WEBHOOK, **headers}, content=b"{}")
            assert (answer.status_code, "HOOKYARD_ALLOWED_HOSTS" in answer.text) == (400, True), (
                path,
                headers,
            )
    assert (await listing.stats()).total == 0
    metrics = (await web.get("/metrics")).text
    count = f'requests_total{{reason="foreign_host",status="400"}} {len(ROUTES) * len(FOREIGN)}.0'
    assert count in metrics


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LocalHost", "[::1]:8000"])
async def test_its_own_names_are_taken(web, host):
    answer = await web.post("/", headers={**WEBHOOK, "Host": host, "Origin": f"http://{host}"}, content=b"{}")
    assert answer.status_code == 202


async def test_without_names_any_is_taken(make_settings):
    app = create_app(make_settings())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hooks.example.com") as client:
            answer = await client.post("/", headers={**WEBHOOK, "Origin": "http://x.example"}, content=b"{}")
    assert answer.status_code == 202
