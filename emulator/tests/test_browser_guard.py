"""Every route refuses what a page of another site makes a browser send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from gitlab_emulator.app import create_app
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.applications import Starlette

FOREIGN_HOSTS = [
    "evil.example.com",
    "gitlab.com:8002",
    "127.0.0.1.nip.io",
    "a.b",
    "evil.test.com",
    "[::1",
    "1.2.3",
]
OWN_HOSTS = [
    "127.0.0.1:8002",
    "localhost",
    "[::1]:8002",
    "emulator:8002",
    "gitlab.test",
    "10.0.0.7",
    "",
    "my.own",
]
FOREIGN_PAGES = [
    {"Origin": "http://evil.example.com"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example.com", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example.com", "Sec-Fetch-Site": "none"},
]


@pytest.fixture
async def app() -> AsyncIterator[Starlette]:
    app = create_app(allowed_hosts=["my.own"])
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8002") as client:
        yield client


def routes(app: Starlette) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, and some of GitLab's API, which is one route."""
    for route in app.routes:
        assert isinstance(route, Route)
        for method in route.methods or {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            yield method, route.path.replace("{path:path}", "v4/projects").replace("{", "").replace("}", "")
    yield "POST", "/api/v4/projects/1/hooks"
    yield "POST", "/api/v4/projects/1/issues"
    yield "DELETE", "/api/v4/projects/1"
    yield "POST", "/api/graphql"
    yield "POST", "/no/such/route"


async def test_every_route_refuses_another_host(app: Starlette, client: httpx.AsyncClient) -> None:
    found = list(routes(app))
    assert len(found) > 30
    for method, path in found:
        for host in FOREIGN_HOSTS:
            answer = await client.request(method, path, headers={"Host": host})
            assert answer.status_code == 403, (method, path, host)


async def test_every_changing_route_refuses_another_site(app: Starlette, client: httpx.AsyncClient) -> None:
    changing = [(method, path) for method, path in routes(app) if method not in {"GET", "HEAD", "OPTIONS"}]
    assert len(changing) > 10
    for method, path in changing:
        for headers in FOREIGN_PAGES:
            answer = await client.request(method, path, headers=headers, content=b"")
            assert answer.status_code == 403, (method, path, headers)


async def test_nothing_is_changed_by_what_is_refused(app: Starlette, client: httpx.AsyncClient) -> None:
    issues = len((await client.get("/api/v4/projects/1/issues")).json())
    for headers in (*FOREIGN_PAGES, {"Host": "evil.example.com"}):
        await client.post("/api/v4/projects/1/issues", data={"title": "x"}, headers=headers)
        await client.post("/-/tokens", json={}, headers=headers)
        await client.post("/-/faults", json={}, headers=headers)
    assert len((await client.get("/api/v4/projects/1/issues")).json()) == issues


@pytest.mark.parametrize("host", OWN_HOSTS)
async def test_programs_may_call_it_by_any_private_name(client: httpx.AsyncClient, host: str) -> None:
    created = await client.post("/api/v4/projects/1/issues", json={"title": "x"}, headers={"Host": host})
    assert created.status_code == 201


async def test_its_own_pages_may_change_things(client: httpx.AsyncClient) -> None:
    for headers in (
        {"Origin": "http://127.0.0.1:8002", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://127.0.0.1:8002"},
        {"Sec-Fetch-Site": "none"},
    ):
        created = await client.post("/api/v4/projects/1/issues", json={"title": "x"}, headers=headers)
        assert created.status_code == 201
