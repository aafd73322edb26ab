"""Every route, and who may use it: one table, in which every route of the console must stand."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from fastapi.routing import APIRoute

from tests.hookyard.console.conftest import FINGERPRINT, TOKENS

ORDER = "0123456789abcdef"
VIEWER, OPERATOR, ADMIN, ANYBODY = "viewer", "operator", "admin", "anybody"
ROUTES = {
    ("GET", "/health"): (ANYBODY, "/health", None),
    ("GET", "/sign-in"): (ANYBODY, "/sign-in", None),
    ("POST", "/sign-in"): (ANYBODY, "/sign-in", {"name": "x", "password": "y"}),
    ("POST", "/sign-out"): (VIEWER, "/sign-out", {}),
    ("GET", "/"): (VIEWER, "/", None),
    ("GET", "/live"): (VIEWER, "/live", None),
    ("GET", "/deliveries"): (VIEWER, "/deliveries", None),
    ("GET", "/deliveries/new"): (VIEWER, "/deliveries/new?after=1:d", None),
    ("GET", "/deliveries/{delivery_id}"): (VIEWER, "/deliveries/d-0", None),
    ("GET", "/objects"): (VIEWER, "/objects?object=group/app%230", None),
    ("GET", "/failures"): (VIEWER, "/failures", None),
    ("GET", "/failures/{fingerprint}"): (VIEWER, f"/failures/{FINGERPRINT}", None),
    ("GET", "/handlers"): (VIEWER, "/handlers", None),
    ("GET", "/secrets"): (VIEWER, "/secrets", None),
    ("GET", "/orders"): (VIEWER, "/orders", None),
    ("GET", "/orders/{order_id}"): (VIEWER, f"/orders/{ORDER}", None),
    ("GET", "/audit"): (ADMIN, "/audit", None),
    ("POST", "/deliveries/{delivery_id}/replay"): (
        OPERATOR,
        "/deliveries/d-0/replay",
        {"what": "failed", "key": "12345678"},
    ),
    ("POST", "/deliveries/{delivery_id}/discard"): (
        OPERATOR,
        "/deliveries/d-1/discard",
        {"key": "12345678"},
    ),
    ("POST", "/deliveries/{delivery_id}/edited"): (
        OPERATOR,
        "/deliveries/d-0/edited",
        {"body": "{}", "key": "12345678"},
    ),
    ("POST", "/deliveries/selected"): (
        OPERATOR,
        "/deliveries/selected",
        {"kind": "replay failed", "ids": "d-2", "key": "12345678"},
    ),
    ("POST", "/orders/prepare"): (
        OPERATOR,
        "/orders/prepare",
        {"kind": "replay", "q": "state:failed", "key": "12345678"},
    ),
    ("POST", "/orders"): (OPERATOR, "/orders", {"kind": "replay", "q": "event:none", "key": "12345678"}),
    ("POST", "/orders/{order_id}/{action}"): (OPERATOR, f"/orders/{ORDER}/stop", {}),
    ("GET", "/api/v1/deliveries"): (VIEWER, "/api/v1/deliveries", None),
    ("GET", "/api/v1/deliveries/{delivery_id}"): (VIEWER, "/api/v1/deliveries/d-0", None),
    ("GET", "/api/v1/deliveries/{delivery_id}/body"): (VIEWER, "/api/v1/deliveries/d-0/body", None),
    ("GET", "/api/v1/deliveries/{delivery_id}/case"): (VIEWER, "/api/v1/deliveries/d-0/case", None),
    ("POST", "/api/v1/deliveries"): (OPERATOR, "/api/v1/deliveries", {"event": "Issue Hook", "body": {}}),
    ("GET", "/api/v1/stats"): (VIEWER, "/api/v1/stats", None),
    ("GET", "/api/v1/rates"): (VIEWER, "/api/v1/rates", None),
    ("GET", "/api/v1/failures"): (VIEWER, "/api/v1/failures", None),
    ("GET", "/api/v1/failures/{fingerprint}"): (VIEWER, f"/api/v1/failures/{FINGERPRINT}", None),
    ("GET", "/api/v1/handlers"): (VIEWER, "/api/v1/handlers", None),
    ("GET", "/api/v1/credentials"): (VIEWER, "/api/v1/credentials", None),
    ("GET", "/api/v1/values/{facet}"): (VIEWER, "/api/v1/values/event", None),
    ("GET", "/api/v1/audit"): (ADMIN, "/api/v1/audit", None),
    ("GET", "/api/v1/me"): (VIEWER, "/api/v1/me", None),
    ("GET", "/api/v1/changes"): (VIEWER, "/api/v1/changes", None),
    ("GET", "/api/v1/orders"): (VIEWER, "/api/v1/orders", None),
    ("GET", "/api/v1/orders/{order_id}"): (VIEWER, f"/api/v1/orders/{ORDER}", None),
    ("POST", "/api/v1/deliveries/{delivery_id}/replay"): (
        OPERATOR,
        "/api/v1/deliveries/d-0/replay",
        {"what": "failed"},
    ),
    ("POST", "/api/v1/deliveries/{delivery_id}/discard"): (
        OPERATOR,
        "/api/v1/deliveries/d-1/discard",
        None,
    ),
    ("POST", "/api/v1/orders"): (OPERATOR, "/api/v1/orders", {"kind": "replay", "filter": "event:none"}),
    ("POST", "/api/v1/orders/{order_id}/{action}"): (OPERATOR, f"/api/v1/orders/{ORDER}/stop", None),
}
REFUSED = {401, 403}
DONE = {200, 202, 303, 404, 409}
"""What a route answers those who may use it: some of the table's things are not there, or not any more."""


def routes_of(app):
    """Every route with its method, however deep the routers are nested."""
    found = set()
    waiting = [(route, "") for route in app.routes]
    while waiting:
        route, prefix = waiting.pop()
        router = getattr(route, "original_router", None)
        if router is not None:
            waiting += [(one, prefix + route.include_context.prefix) for one in router.routes]
        elif isinstance(route, APIRoute):
            found |= {(method, prefix + route.path) for method in route.methods}
    return found


async def ask(client, method, path, body, **given):
    """Ask for a route as a page or a program does; of a stream only the head is read."""
    shape = "json" if path.startswith("/api/") else "data"
    async with client.stream(method, path, **{shape: body} if body is not None else {}, **given) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            await answer.aread()
        return answer


def is_refusal(answer):
    """Whether it was refused; a page sends whoever is not signed in to do so."""
    return answer.status_code in REFUSED or answer.headers.get("location", "").startswith("/sign-in?next")


def test_every_route_stands_in_the_table(console):
    schema = {("GET", "/api/v1/openapi.json"), ("HEAD", "/api/v1/openapi.json")}
    assert routes_of(console.app) - schema == set(ROUTES)


async def test_nobody_sees_anything(console, filled):
    async with console.client() as nobody:
        for (method, name), (needed, path, body) in ROUTES.items():
            answer = await ask(nobody, method, path, body)
            if needed == ANYBODY:
                assert answer.status_code in {200, 401}, (method, name)  # 401: a wrong password
            else:
                assert is_refusal(answer), (method, name)
                assert b"d-0" not in answer.content, (method, name)


@pytest.mark.parametrize("by", ["session", "token"])
@pytest.mark.parametrize(("name", "role"), [("vic", VIEWER), ("ann", OPERATOR), ("root", ADMIN)])
async def test_each_role_may_do_what_it_may(console, filled, sign_in, by, name, role):
    ranks = [ANYBODY, VIEWER, OPERATOR, ADMIN]
    async with contextlib.AsyncExitStack() as stack:
        if by == "token":
            client = await stack.enter_async_context(console.with_token(role))
        else:
            client = await sign_in(name)
        headers = {} if by == "token" else {"x-csrf-token": client.csrf}
        table = sorted(ROUTES.items(), key=lambda row: row[0][1] in {"/sign-out", "/sign-in"})
        for (method, route), (needed, path, body) in table:
            if (method, route) == ("POST", "/sign-in"):
                continue
            answer = await ask(client, method, path, body, headers=headers)
            may = ranks.index(role) >= ranks.index(needed)
            assert is_refusal(answer) is not may, (method, route, answer.status_code)
            assert answer.status_code in (DONE if may else REFUSED), (method, route)


CHANGING = [(route, row) for route, row in ROUTES.items() if route[0] == "POST" and row[0] != ANYBODY]


async def test_a_form_without_the_sessions_token_does_nothing(console, filled, sign_in):
    ann, other = await sign_in("ann"), await sign_in("root")
    before = await states(filled)
    for ((method, name), (_, path, body)), given in itertools.product(CHANGING, (None, "", other.csrf, "é")):
        headers = {} if given is None else {"x-csrf-token": given.encode()}
        answer = await ask(ann, method, path, body, headers=headers)
        assert answer.status_code == 403, (name, given)
    assert await states(filled) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
async def test_what_another_site_sends_does_nothing(console, filled, sign_in, headers):
    ann = await sign_in("ann")
    before = await states(filled)
    for (method, name), (_, path, body) in [*CHANGING, (("POST", "/sign-in"), ROUTES["POST", "/sign-in"])]:
        answer = await ask(ann, method, path, body, headers={**headers, "x-csrf-token": ann.csrf})
        assert answer.status_code == 403, name
    assert await states(filled) == before


async def test_a_forged_cookie_is_none(console, filled, sign_in):
    vic = await sign_in("vic")
    cookie = vic.cookies["hookyard_session"]
    told, stamp, signature = cookie.split(".")
    forged = [
        f"{told}.{stamp}.{signature[::-1]}",
        f"{told[:-2]}AA.{stamp}.{signature}",
        told,
        "x" * 5000,
        "",
    ]
    for one in forged:
        async with console.client(headers={"cookie": f"hookyard_session={one}"}) as client:
            for (method, name), (needed, path, body) in ROUTES.items():
                if needed != ANYBODY:
                    assert is_refusal(await ask(client, method, path, body)), name


async def test_a_foreign_host_gets_nothing(console, filled):
    token = TOKENS["admin"][0]
    headers = {"authorization": f"Bearer {token}"}
    async with console.client(headers=headers) as client:
        for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil:80"):
            for (method, name), (_, path, body) in ROUTES.items():
                answer = await ask(client, method, path, body, headers={"host": host})
                assert answer.status_code == 421, (name, host)
        for host in ("localhost", "LOCALHOST:8001", "[::1]:8001", "hookyard.example.com"):
            assert (await client.get("/", headers={"host": host})).status_code == 200, host


async def test_every_answer_has_the_headers_that_protect_it(console, filled):
    async with console.with_token("admin") as client:
        for (method, name), (_, path, body) in ROUTES.items():
            answer = await ask(client, method, path, body)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, name
            assert "unsafe" not in policy, name
            assert answer.headers["x-content-type-options"] == "nosniff", name
            assert answer.headers["cache-control"] == "no-store", name


async def states(ledger):
    """How many deliveries are in each state."""
    return await ledger.redis.hgetall(ledger.keys.states)
