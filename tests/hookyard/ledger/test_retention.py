"""Retention: what is pruned, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from random import randbytes

import pytest

from hookyard.ledger.claims import Settlement
from hookyard.ledger.records import State
from hookyard.ledger.retention import DAY_MS, Retention, prune_once
from hookyard.settings.types import MemoryLimit
from tests.fakes import a_delivery

KEEP = Retention(
    succeeded_days=7,
    succeeded_count=1000,
    failed_days=90,
    failed_count=1000,
    memory=MemoryLimit(share=0.75),
)


@pytest.fixture
async def finished(ledger):
    """250 succeeded, 250 failed, 20 ignored, and 5 that wait."""
    await asyncio.gather(
        *(ledger.accept(a_delivery(f"d-{number}", body=randbytes(1000))) for number in range(525))
    )
    states = [State.SUCCEEDED] * 250 + [State.FAILED] * 250 + [State.IGNORED] * 20
    records: list = []
    while len(records) < len(states):
        limit = min(100, len(states) - len(records))
        claims = await ledger.claim(worker="w", limit=limit)
        records += claims.records
    await asyncio.gather(
        *(
            ledger.settle(
                Settlement(delivery_id=record.delivery.id, token=record.token, state=state, error="x")
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
    await pass_days(client, ledger, days_later)
    removed = await prune_all(ledger, replace(KEEP, **keep))
    stats = await listing.stats()
    assert removed == 525 - stats.total
    assert stats.states[State.FAILED] == left.get("failed", 0)
    done = left.get("done", left.get("succeeded", 0) + left.get("ignored", 0))
    assert stats.states[State.SUCCEEDED] + stats.states[State.IGNORED] == done
    assert stats.states[State.QUEUED] == 5


async def pass_days(client, ledger, days):
    """Make everything that finished have finished *days* earlier."""
    for key in (ledger.keys.done, ledger.keys.failed):
        members = await client.zrange(key, 0, -1, withscores=True)
        await client.zadd(key, {member: score - days * DAY_MS - 1000 for member, score in members})


async def prune_all(ledger, policy):
    """Prune until nothing is left to prune; give the number of deliveries."""
    pruned = 0
    while batch := await prune_once(ledger, policy):
        pruned += batch
    return pruned


async def test_no_key_of_a_pruned_delivery_is_left(finished, ledger, client):
    await pass_days(client, ledger, 0)
    await prune_all(ledger, replace(KEEP, succeeded_count=0, failed_count=0))
    waiting = [record async for record in client.scan_iter("hookyard:delivery:*")]
    await ledger.discard([key.decode().rpartition(":")[2] for key in waiting])
    left = {key.decode() for key in await client.keys("*") if await client.ttl(key) == -1}
    assert left <= {ledger.keys.states, ledger.keys.wake}


async def test_a_workers_clock_has_no_say_in_what_is_pruned(finished, ledger, listing, monkeypatch):
    """Ninety-one days ahead, a worker would otherwise delete what failed a moment ago."""
    monkeypatch.setattr("time.time_ns", lambda: (finished + 91 * DAY_MS) * 1_000_000)
    assert await prune_once(ledger, KEEP) == 0
    assert (await listing.stats()).total == 525


async def test_room_is_made_in_order_and_never_of_what_is_unfinished(finished, ledger, listing, client):
    """Bodies of succeeded and ignored ones go first, then their records, then the same of failed ones."""
    used = int((await client.info("memory"))["used_memory"])
    limit, seen = used + 500_000, []
    while not seen or seen[-1]["failed"][0]:
        await prune_all(ledger, replace(KEEP, memory=MemoryLimit(size_bytes=limit)))
        seen.append(await kept(client))
        limit -= 50_000
    assert seen[0] == {"done": (270, 270), "failed": (250, 250), "queued": (5, 5)}
    assert seen[-1] == {"done": (0, 0), "failed": (0, 0), "queued": (5, 5)}
    for at in seen:
        done, failed = at["done"], at["failed"]
        assert done[1] == 0 or done[0] == 270, "records of succeeded ones go after their bodies"
        assert failed == (250, 250) or done == (0, 0), "failed ones are touched last"
        assert failed[1] == 0 or failed[0] == 250
    assert any(0 < at["done"][1] < 270 for at in seen), "bodies go before records"


async def test_what_comes_in_while_room_is_made_does_not_cost_the_next_kind(
    finished, ledger, client, monkeypatch
):
    """Else failed ones go although a few more bodies of succeeded ones would have been enough."""
    surplus = itertools.chain([1, 0], itertools.repeat(1))  # enough after one batch, and too much again

    async def surplus_bytes(redis, limit):
        return next(surplus)

    monkeypatch.setattr("hookyard.ledger.retention._surplus_bytes", surplus_bytes)
    assert await prune_once(ledger, KEEP) > 0
    seen = await kept(client)
    assert (seen["done"][0], seen["failed"]) == (270, (250, 250))
    assert 0 < seen["done"][1] < 270


async def kept(client):
    """Give per kind how many records there are, and how many of them have a body."""
    found = {"done": [0, 0], "failed": [0, 0], "queued": [0, 0]}
    async with client.pipeline(transaction=False) as pipe:
        async for key in client.scan_iter("hookyard:delivery:*", count=1000):
            pipe.hmget(key, "state", "body")
        records = await pipe.execute()
    for state, body in records:
        kind = found["done" if state in {b"succeeded", b"ignored"} else state.decode()]
        kind[0] += 1
        kind[1] += body is not None
    return {kind: tuple(counts) for kind, counts in found.items()}


async def test_a_delivery_whose_body_made_room_says_so_and_is_not_replayed(finished, ledger, listing):
    await prune_once(ledger, replace(KEEP, memory=MemoryLimit(size_bytes=1)))
    # all records of finished ones may be gone by then; what finishes now is new
    (record,) = (await ledger.claim(worker="w", limit=1)).records
    await ledger.settle(Settlement(delivery_id=record.delivery.id, token=record.token, state=State.SUCCEEDED))
    await ledger.scripts.call(
        "drop_bodies",
        keys=[ledger.keys.done, ledger.keys.dropped],
        args=[ledger.keys.deliveries, "done", 100],
    )
    stored = await listing.get(record.delivery.id)
    assert stored.dropped_ms >= stored.finished_ms
    answers = await ledger.replay([record.delivery.id], what="all", now_ms=1)
    assert answers == {record.delivery.id: "dropped"}
    assert (await listing.get(record.delivery.id)).state is State.SUCCEEDED


async def test_a_share_of_no_maxmemory_limits_nothing(finished, ledger):
    assert await prune_once(ledger, replace(KEEP, memory=MemoryLimit(share=0.01))) == 0


async def test_a_small_redis_takes_four_times_what_it_can_hold(ledger, listing, client):
    """A week of succeeded deliveries must not stop the next one from being accepted."""
    limit = int((await client.info("memory"))["used_memory"]) + 6_000_000
    await client.config_set("maxmemory", limit)
    try:
        for batch in range(40):
            ids = [f"d-{batch}-{number}" for number in range(200)]
            await asyncio.gather(*(ledger.accept(a_delivery(one, body=randbytes(1500))) for one in ids))
            while records := (await ledger.claim(worker="w", limit=100)).records:
                outcomes = [
                    State.FAILED if one.delivery.id.endswith("7") else State.SUCCEEDED for one in records
                ]
                await asyncio.gather(
                    *(
                        ledger.settle(Settlement(delivery_id=one.delivery.id, token=one.token, state=state))
                        for one, state in zip(records, outcomes, strict=True)
                    )
                )
            while await prune_once(ledger, replace(KEEP, succeeded_count=10**6, failed_count=10**6)):
                pass
    finally:
        await client.config_set("maxmemory", 0)
    found = await kept(client)
    assert found["failed"] == (800, 800), "failed deliveries make room last"
    assert 0 < found["done"][0] < 7200
