"""The JSON API: what it answers, what it refuses, and what it does once."""

from __future__ import annotations

import asyncio
import json

import pytest

from hookyard.ledger.records import State
from tests.fakes import a_delivery, until
from tests.hookyard.console.conftest import FINGERPRINT, a_settlement


@pytest.fixture
async def api(console):
    async with console.with_token("operator") as client:
        yield client


async def listed(api, **query):
    answer = await api.get("/api/v1/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["deliveries"]]


async def test_filters_mean_the_same_by_name_and_as_text(api, filled):
    failed = ["d-2", "d-1", "d-0"]
    assert await listed(api, state="failed") == failed
    assert await listed(api, q="state:failed") == failed
    assert await listed(api, fingerprint=FINGERPRINT) == failed
    assert await listed(api, q="handler:bot:label outcome:succeeded") == ["d-4", "d-3"]
    assert await listed(api, object="group/app#1") == ["d-5", "d-3", "d-1"]
    assert await listed(api, q='event:"Issue Hook" project:group/app label') == ["d-4", "d-3", *failed]


async def test_pages_follow_each_other(api, filled):
    first = (await api.get("/api/v1/deliveries", params={"limit": 4})).json()
    assert first["count"] == 6
    second = await api.get("/api/v1/deliveries", params={"limit": 4, "cursor": first["next_cursor"]})
    assert [one["id"] for one in second.json()["deliveries"]] == ["d-1", "d-0"]
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"q": "stat:failed"}, "did you mean state:?"),
        ({"q": "state:faild"}, "did you mean failed?"),
        ({"q": "since:yesterday"}, "is not a time"),
        ({"q": "state:failed state:queued"}, "stands there twice"),
        ({"q": "x", "state": "failed"}, "either q or other filters"),
        ({"state": "broken"}, "state"),
        ({"cursor": "x"}, "not a cursor"),
        ({"limit": "100000"}, "limit"),
        ({"q": "x" * 5000}, "q"),
        ({"until": "9" * 39}, "is not a time"),
        ({"since": "9" * 30 + "w"}, "too far away"),
        ({"until": "0001-01-01"}, "too far away"),
    ],
)
async def test_a_filter_that_cannot_be_used_is_told(api, query, told):
    answer = await api.get("/api/v1/deliveries", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


async def test_a_delivery_that_is_gone_is_told_with_how_long_they_are_kept(api):
    answer = await api.get("/api/v1/deliveries/d-9")
    assert answer.status_code == 404
    assert "kept for 7 days, failed ones for 90" in answer.json()["detail"]


async def test_a_body_is_redacted_for_those_who_may_not_read_it(api, filled, sign_in):
    path = "/api/v1/deliveries/d-0/body"
    redacted = await api.get(path)
    assert "ann@example.com" not in redacted.text
    assert "Ann Example" not in redacted.text
    assert redacted.json()["object_kind"] == "issue"
    whole = await (await sign_in("ann")).get(path)
    assert "ann@example.com" in whole.text
    for answer in (redacted, whole):
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_replay_runs_once_for_each_idempotency_key(api, filled, ledger):
    path, key = "/api/v1/deliveries/d-0/replay", {"idempotency-key": "k-1"}
    first = await api.post(path, json={"what": "failed"}, headers=key)
    assert first.json() == {"id": "d-0", "answer": "queued"}
    await ledger.settle(
        a_settlement((await ledger.claim(worker="w", limit=1, only="d-0")).records[0], failed=True)
    )
    again = await api.post(path, json={"what": "failed"}, headers=key)
    assert again.json() == first.json()
    assert (await api.get("/api/v1/deliveries/d-0")).json()["state"] == "failed"
    other = await api.post(path, json={"what": "failed"}, headers={"idempotency-key": "k-2"})
    assert other.json()["answer"] == "queued"
    assert (await api.get("/api/v1/deliveries/d-0")).json()["state"] == "queued"


async def test_what_is_refused_can_be_asked_for_again_with_the_same_key(api, ledger):
    path, key = "/api/v1/deliveries/d-7/replay", {"idempotency-key": "k-1"}
    assert (await api.post(path, json={}, headers=key)).status_code == 404
    await ledger.accept(a_delivery("d-7"))
    assert (await api.post(path, json={}, headers=key)).status_code == 200


async def test_what_was_dropped_cannot_run_again(api, filled, client):
    await client.hset("hookyard:delivery:d-0", "dropped", 1)
    assert (await api.post("/api/v1/deliveries/d-0/replay", json={})).status_code == 409
    assert (await api.get("/api/v1/deliveries/d-0/body")).status_code == 404


async def test_a_bulk_order_replays_what_matches_and_says_so(api, console, filled, listing):
    given = await api.post(
        "/api/v1/orders",
        json={"kind": "replay failed", "filter": "state:failed"},
        headers={"idempotency-key": "once"},
    )
    again = await api.post(
        "/api/v1/orders",
        json={"kind": "replay failed", "filter": "state:failed"},
        headers={"idempotency-key": "once"},
    )
    assert given.status_code == 202
    assert again.json() == given.json()
    path = f"/api/v1/orders/{given.json()['id']}"
    order = await until(lambda: done(api, path))
    assert (order["touched"], order["of"]) == (3, 3)
    assert (await listing.stats()).states[State.FAILED] == 0
    assert (await api.post(f"{path}/stop")).status_code == 409
    async with console.with_token("admin") as admin:
        entry = (await admin.get("/api/v1/audit")).json()["entries"][0]
    assert (entry["name"], entry["what"], entry["on"]) == ("operator", "bulk replay failed", "state:failed")


async def done(api, path):
    order = (await api.get(path)).json()
    return order if order["state"] == "done" else None


async def test_a_bulk_order_that_is_paused_waits_and_one_that_is_stopped_ends(api, console, ledger, listing):
    """Its steps are taken here, so that it is known where it stands when it is paused."""
    since_ms = a_delivery().received_ms - 9000
    for number in range(250):
        await ledger.accept(a_delivery(f"d-{number:03}", received_ms=since_ms + number))
    orders = console.app.state.services.orders
    while claims := (await ledger.claim(worker="w", limit=50)).records:
        await asyncio.gather(*(ledger.settle(a_settlement(record, failed=True)) for record in claims))
    given = await api.post("/api/v1/orders", json={"kind": "replay failed", "filter": "state:failed"})
    path = f"/api/v1/orders/{given.json()['id']}"
    paused = (await api.post(f"{path}/pause")).json()
    assert paused["state"] == "paused"
    at = (await api.get(path)).json()["touched"]
    await orders.step(given.json()["id"])
    assert (await api.get(path)).json()["touched"] == at
    assert (await api.post(f"{path}/resume")).json()["state"] == "running"
    await until(lambda: has_met_more(api, path, at))
    stopped = (await api.post(f"{path}/stop")).json()
    await orders.step(given.json()["id"])
    assert (await api.get(path)).json() == stopped
    assert stopped["state"] == "stopped"


async def has_met_more(api, path, at):
    return (await api.get(path)).json()["touched"] > at


async def test_a_bulk_order_without_a_filter_is_refused(api, filled, listing):
    answer = await api.post("/api/v1/orders", json={"kind": "discard", "filter": " "})
    assert answer.status_code == 422
    assert (await listing.stats()).total == 6


@pytest.mark.parametrize("text", ["since:999999999999w", 'a:"b', "odd\x0bblank x", "x\u2003y"])
async def test_a_bulk_order_meets_what_was_asked_for_or_is_refused(api, filled, text):
    """Its filter is kept as text: what reads back as another filter would discard other deliveries."""
    answer = await api.post("/api/v1/orders", json={"kind": "discard", "filter": text})
    assert answer.status_code in {202, 422}
    if answer.status_code == 202:
        path = f"/api/v1/orders/{answer.json()['id']}"
        order = await until(lambda: done(api, path))
        assert order["met"] == 0


async def test_failures_are_grouped(api, filled):
    found = (await api.get("/api/v1/failures")).json()
    assert found["total"] == 1
    group = found["failures"][0]
    assert (group["fingerprint"], group["count"], group["standing"]) == (FINGERPRINT, 3, 3)
    assert group["days"][-1] == 3
    assert (await api.get("/api/v1/failures/0000000000000000")).status_code == 404


async def test_rates_handlers_and_credentials(api, filled):
    rates = (await api.get("/api/v1/rates", params={"intervals": 2})).json()["intervals"]
    total = {}
    for one in rates:
        for what, count in one["counts"].items():
            total[what] = total.get(what, 0) + count
    assert total == {"accepted": 6, "failed": 3, "succeeded": 2}
    handler = (await api.get("/api/v1/handlers")).json()["handlers"][0]
    assert (handler["handler"], handler["outcomes"]) == ("bot:label", {"failed": 3, "succeeded": 2})
    assert 10 < handler["p50_ms"] < 16  # each took 12 ms
    credential = (await api.get("/api/v1/credentials")).json()["credentials"][0]
    assert (credential["credential"], credential["deliveries"]) == ("GL_SECRET #1 (a1b2c3)", 6)


async def test_changes_are_told_as_they_happen(api, filled, ledger):
    async with api.stream("GET", "/api/v1/changes") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        sending = asyncio.create_task(accept_until_told(ledger))
        async for line in lines:
            if line.startswith("data: "):
                change = json.loads(line.removeprefix("data: "))
                break
        sending.cancel()
    assert change["accepted"]["count"] >= 1
    assert change["accepted"]["ids"][0].startswith("n-")
    assert change["states"]["failed"] == 3


async def accept_until_told(ledger):
    """Whoever follows is told of what comes after that; when that is, only they know."""
    for number in range(1000):
        await ledger.accept(a_delivery(f"n-{number}"))
        await asyncio.sleep(0.2)


def test_the_document_names_every_route_and_every_refusal(console):
    document = console.app.openapi()
    assert document["openapi"].startswith("3.1")
    assert document["security"] == [{"token": []}]
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            assert {"401", "403"} <= described["responses"].keys(), (method, path)
    assert "/api/v1/deliveries/{delivery_id}/replay" in document["paths"]
