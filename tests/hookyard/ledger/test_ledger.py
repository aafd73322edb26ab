"""The ledger's transitions, against a real Redis."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.ledger.claims import Settlement
from hookyard.ledger.leases import renew, renew_script
from hookyard.ledger.records import Attempt, Ending, Outcome, Run, State
from hookyard.redis.errors import is_redis_away
from tests.fakes import a_delivery, until

LEASE_MS = 10_000


async def claim(ledger, limit=10, *, worker="w1", lease_ms=LEASE_MS, max_crashes=3, **given):
    return await ledger.claim(worker=worker, limit=limit, lease_ms=lease_ms, max_crashes=max_crashes, **given)


async def claim_one(ledger, **given):
    """Claim as soon as something is due, and return its record."""

    async def try_it():
        return (await claim(ledger, 1, **given)).records

    return (await until(try_it))[0]


def settlement(record, state, **given):
    return Settlement(delivery_id=record.delivery.id, claim=record.claims, state=state, **given)


def a_run(record, *attempts):
    return Run(
        number=record.claims,
        worker="w1",
        started_ms=1,
        ended_ms=2,
        ending=Ending.SETTLED,
        attempts=attempts,
    )


def an_attempt(handler="bot:greet", outcome=Outcome.SUCCEEDED, **given):
    facts = {"number": 1, "started_ms": 1, "took_ms": 1, "final": outcome is Outcome.SUCCEEDED}
    return Attempt(handler=handler, outcome=outcome, **{**facts, **given})


async def test_what_is_accepted_reads_back_as_it_was(ledger, listing):
    sent = a_delivery("d-1", data={"text": "héllo " * 500}, project="group/app", object="!12", trace="t")
    assert await ledger.accept(sent) is True
    record = await listing.get("d-1")
    assert record.delivery == sent
    assert record.state is State.QUEUED
    assert record.due_ms is not None


async def test_a_second_accept_changes_nothing(ledger, listing):
    await ledger.accept(a_delivery("d-1", data={"n": 1}))
    before = await listing.get("d-1")
    assert await ledger.accept(a_delivery("d-1", data={"n": 2})) is False
    assert await listing.get("d-1") == before


async def test_accepts_of_one_id_at_the_same_moment_make_one_delivery(ledger, listing):
    answers = await asyncio.gather(*(ledger.accept(a_delivery("d-1")) for _ in range(50)))
    assert sorted(answers) == [False] * 49 + [True]
    assert (await listing.stats()).total == 1


async def test_claims_give_each_delivery_to_one_worker(ledger):
    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{n}")) for n in range(100)))
    claims = await asyncio.gather(*(claim(ledger, 7, worker=f"w{n}") for n in range(20)))
    ids = [record.delivery.id for one in claims for record in one.records]
    assert len(ids) == len(set(ids)) == 100


async def test_claimed_work_does_not_stand_in_the_way_of_what_waits(ledger):
    """Stock arq reads past at most 100 claimed jobs."""
    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{n}")) for n in range(300)))
    for _ in range(300):
        assert len((await claim(ledger, 1)).records) == 1


async def test_a_clock_that_is_ahead_does_not_defer_what_it_accepts(ledger):
    ahead = a_delivery("d-1").received_ms + 3_600_000
    await ledger.accept(a_delivery("d-1", received_ms=ahead))
    assert len((await claim(ledger)).records) == 1


async def test_a_lease_that_ends_gives_the_delivery_to_another_worker(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    first = await claim_one(ledger, lease_ms=30)
    second = await claim_one(ledger, worker="w2")
    assert (second.claims, second.crashes) == (2, 1)
    assert await ledger.settle(settlement(first, State.SUCCEEDED)) is False
    assert await ledger.checkpoint("d-1", first.claims, a_run(first)) is False
    assert await ledger.settle(settlement(second, State.SUCCEEDED, run=a_run(second))) is True
    record = await listing.get("d-1")
    assert [(one.number, one.worker, one.ending) for one in record.history] == [
        (1, "w1", Ending.CRASHED),
        (2, "w1", Ending.SETTLED),
    ]
    assert record.crashes == 0


async def test_a_renewed_lease_holds(ledger, redis_url):
    import redis

    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger, lease_ms=200)
    with redis.Redis.from_url(redis_url) as client:
        script = renew_script(client)
        assert renew(script, ledger.keys, [("d-1", 1), ("gone", 1)], lease_ms=60_000) == [("gone", 1)]
    assert (await ledger.redis.zscore(ledger.keys.queue, "d-1")) > record.due_ms + 50_000


async def test_a_worker_that_lives_although_its_lease_was_lost_takes_the_death_back(
    ledger, listing, redis_url
):
    import redis

    await ledger.accept(a_delivery("d-1"))
    first = await claim_one(ledger, lease_ms=30)
    assert (await claim_one(ledger, worker="w2")).crashes == 1
    with redis.Redis.from_url(redis_url) as client:
        lost = renew(renew_script(client), ledger.keys, [("d-1", first.claims)], lease_ms=1000)
    assert lost == [("d-1", first.claims)]
    assert (await listing.get("d-1")).crashes == 0


async def test_a_delivery_that_kills_three_workers_is_failed_and_says_so(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    for _ in range(3):
        await claim_one(ledger, lease_ms=20)

    async def failed():
        assert (await claim(ledger)).records == ()
        record = await listing.get("d-1")
        return record.state is State.FAILED and record

    record = await until(failed)
    assert record.error.startswith("its worker crashed 3 times while running it")
    assert [one.ending for one in record.history] == [Ending.CRASHED] * 3


async def test_two_deliveries_one_death_short_of_failing_are_never_given_to_the_same_worker(ledger):
    for name in ("d-1", "d-2"):
        await ledger.accept(a_delivery(name))
    for _ in range(2):

        async def both():
            records = (await claim(ledger, lease_ms=50)).records
            return len(records) == 2

        await until(both)
    suspect = await claim_one(ledger)
    assert suspect.crashes == 2
    assert (await claim(ledger, may_take_quarantined=False)).records == ()
    other = await claim_one(ledger, worker="w2")
    assert other.delivery.id != suspect.delivery.id


async def test_a_retry_waits_and_counts(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    failed = an_attempt(outcome=Outcome.FAILED, due_ms=5)
    await ledger.settle(
        settlement(record, State.RETRYING, delay_ms=60_000, error="boom\nbang", run=a_run(record, failed))
    )
    assert (await claim(ledger)).records == ()
    stored = await listing.get("d-1")
    assert (stored.state, stored.runs, stored.error) == (State.RETRYING, 1, "boom bang")
    assert stored.standings()["bot:greet"].outcome is Outcome.FAILED


async def test_handing_back_does_not_count_a_try(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    assert record.runs == 1
    await ledger.settle(settlement(record, State.QUEUED))
    assert (await listing.get("d-1")).runs == 0
    assert (await claim_one(ledger)).runs == 1


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.IGNORED, State.FAILED])
async def test_a_finished_delivery_leaves_the_queue_and_can_be_replayed(ledger, listing, state):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    await ledger.settle(settlement(record, state, error="why" if state is State.FAILED else None))
    assert (await claim(ledger)).records == ()
    assert await ledger.replay(["d-1", "nope"], what="all", now_ms=1) == {"d-1": "queued", "nope": "missing"}
    again = await claim_one(ledger)
    assert (again.runs, again.error, again.round_from, again.done_from) == (1, None, 2, 2)


async def test_a_replay_of_the_failed_handlers_keeps_the_successes(ledger):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    attempts = (an_attempt("bot:a"), an_attempt("bot:b", Outcome.FAILED, final=True))
    await ledger.settle(settlement(record, State.FAILED, error="b", run=a_run(record, *attempts)))
    await ledger.replay(["d-1"], what="failed", now_ms=1)
    assert (await claim_one(ledger)).succeeded_handlers() == {"bot:a"}


async def test_a_replay_of_all_handlers_forgets_the_successes(ledger):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    await ledger.settle(settlement(record, State.SUCCEEDED, run=a_run(record, an_attempt("bot:a"))))
    await ledger.replay(["d-1"], what="all", now_ms=1)
    assert (await claim_one(ledger)).succeeded_handlers() == frozenset()


async def test_a_replay_while_it_runs_takes_place_once_the_try_has_ended(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    assert await ledger.replay(["d-1"], what="all", now_ms=1) == {"d-1": "running"}
    await ledger.settle(settlement(record, State.SUCCEEDED, run=a_run(record, an_attempt("bot:a"))))
    assert (await listing.get("d-1")).state is State.QUEUED
    assert (await claim_one(ledger)).succeeded_handlers() == frozenset()


async def test_discarding_leaves_nothing_behind(ledger, client):
    for name in ("d-1", "d-2", "d-3"):
        await ledger.accept(a_delivery(name))
    running = await claim_one(ledger)
    assert await ledger.discard(["d-1", "d-2", "d-3", "nope"]) == 3
    assert await ledger.settle(settlement(running, State.SUCCEEDED)) is False
    left = {key.decode() for key in await client.keys("*")}
    assert left <= {ledger.keys.states, ledger.keys.wake}


async def test_a_record_of_a_newer_version_is_left_for_a_newer_worker(ledger, client, listing):
    await ledger.accept(a_delivery("d-1"))
    await client.hset(ledger.keys.delivery("d-1"), "v", 99)
    assert (await claim(ledger)).records == ()
    assert (await listing.get("d-1")).state is State.QUEUED
    assert await client.zscore(ledger.keys.queue, "d-1") > a_delivery().received_ms + LEASE_MS / 2


async def test_a_record_that_cannot_be_read_is_told_apart(ledger, client):
    await ledger.accept(a_delivery("d-1"))
    await client.hset(ledger.keys.delivery("d-1"), "meta", b"\xc1")
    claims = await claim(ledger)
    assert claims.records == ()
    assert [one.delivery_id for one in claims.unreadable] == ["d-1"]


async def test_large_bodies_do_not_all_come_in_one_answer(ledger):
    import os

    for number in range(5):
        await ledger.accept(a_delivery(f"d-{number}", body=os.urandom(5_000_000)))
    assert len((await claim(ledger)).records) == 2


async def test_the_tries_that_a_record_keeps_are_bounded(ledger, listing):
    from hookyard.settings.limits import KEPT_RUNS

    await ledger.accept(a_delivery("d-1"))
    for _ in range(KEPT_RUNS + 6):
        record = await claim_one(ledger)
        await ledger.settle(settlement(record, State.RETRYING, run=a_run(record, an_attempt("bot:a"))))
    stored = await listing.get("d-1")
    assert len(stored.history) == KEPT_RUNS
    assert stored.history[-1].number == KEPT_RUNS + 6


async def test_scripts_are_loaded_again_when_redis_forgot_them(ledger, client):
    await ledger.accept(a_delivery("d-1"))
    await client.script_flush()
    assert await ledger.accept(a_delivery("d-2")) is True


async def test_a_redis_out_of_memory_keeps_all_of_a_call_or_nothing(ledger, client, listing):
    from redis.exceptions import RedisError

    await client.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisError) as caught:
            await ledger.accept(a_delivery("d-1"))
        assert is_redis_away(caught.value)
    finally:
        await client.config_set("maxmemory", 0)
    assert await listing.get("d-1") is None
    assert await ledger.accept(a_delivery("d-1")) is True


async def test_one_wake_up_token_is_enough(ledger, client):
    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{n}")) for n in range(10)))
    assert await client.llen(ledger.keys.wake) == 1
