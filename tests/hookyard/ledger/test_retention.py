"""Retention: what is pruned, and that nothing of it is left."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.ledger.claims import Settlement
from hookyard.ledger.records import State
from hookyard.ledger.retention import DAY_MS, Keep, prune
from tests.fakes import a_delivery

KEEP = Keep(succeeded_days=7, succeeded_count=1000, failed_days=90, failed_count=1000)


@pytest.fixture
async def finished(ledger):
    """250 succeeded, 250 failed, 20 ignored, and 5 that wait."""
    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{number}")) for number in range(525)))
    states = [State.SUCCEEDED] * 250 + [State.FAILED] * 250 + [State.IGNORED] * 20
    records: list = []
    while len(records) < len(states):
        limit = min(100, len(states) - len(records))
        claims = await ledger.claim(worker="w", limit=limit, lease_ms=60_000, max_crashes=3)
        records += claims.records
    await asyncio.gather(
        *(
            ledger.settle(
                Settlement(delivery_id=record.delivery.id, claim=record.claims, state=state, error="x")
            )
            for record, state in zip(records, states, strict=True)
        )
    )
    return claims.now_ms


@pytest.mark.parametrize(
    ("days_later", "keep", "left"),
    [
        (0, {}, {"succeeded": 250, "failed": 250, "ignored": 20}),
        (6.9, {}, {"succeeded": 250, "failed": 250, "ignored": 20}),
        (7.1, {}, {"failed": 250}),
        (90.1, {}, {}),
        (0, {"succeeded_count": 30, "failed_count": 250}, {"failed": 250, "done": 30}),
        (0, {"succeeded_count": 0, "failed_count": 0}, {}),
    ],
)
async def test_what_is_left(finished, ledger, listing, client, days_later, keep, left):
    from dataclasses import replace

    now_ms = finished + int(days_later * DAY_MS) + 1000
    removed = await prune(client, ledger.keys, replace(KEEP, **keep), now_ms=now_ms)
    stats = await listing.stats()
    assert removed == 525 - stats.total
    assert stats.states[State.FAILED] == left.get("failed", 0)
    done = left.get("done", left.get("succeeded", 0) + left.get("ignored", 0))
    assert stats.states[State.SUCCEEDED] + stats.states[State.IGNORED] == done
    assert stats.states[State.QUEUED] == 5


async def test_no_key_of_a_pruned_delivery_is_left(finished, ledger, client):
    keep = Keep(succeeded_days=0, succeeded_count=0, failed_days=0, failed_count=0)
    await prune(client, ledger.keys, keep, now_ms=finished + 1000)
    waiting = [record async for record in client.scan_iter("hookyard:delivery:*")]
    await ledger.discard([key.decode().rpartition(":")[2] for key in waiting])
    left = {key.decode() for key in await client.keys("*")}
    assert left <= {ledger.keys.states, ledger.keys.wake}
