"""The ledger's transitions, against a real Redis."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.ledger.claims import Settlement
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Attempt, Ending, Outcome, Run, State
from hookyard.redis.errors import is_redis_away
from tests.fakes import a_delivery, until

LEASE_MS = 10_000


async def claim(ledger, limit=10, *, worker="w1", **given):
    return await ledger.claim(worker=worker, limit=limit, **given)


async def claim_one(ledger, **given):
    """Claim as soon as something is due, and return its record."""

    async def try_it():
        return (await claim(ledger, 1, **given)).records

    return (await until(try_it))[0]


async def claim_alone(ledger, *, worker="w1", confirmed=False):
    """Claim what is due from the quarantine, and return its record."""
    (record,) = (await ledger.claim_quarantined(worker=worker)).records
    assert record.alone
    if confirmed:
        assert await ledger.confirm(record.delivery.id, record.token)
    return record


async def lapse(ledger, *ids):
    """Let the leases be over, as if their workers had died some time ago, and the grace as well."""
    await ledger.redis.zadd(ledger.keys.queue, dict.fromkeys(ids, 1.5), xx=True)


async def let_quarantine_pass(ledger):
    """Let all that is quarantined be due, as if the waits had passed."""
    members = await ledger.redis.zrange(ledger.keys.quarantine, 0, -1)
    await ledger.redis.zadd(ledger.keys.quarantine, dict.fromkeys(members, 1), xx=True)


async def quarantine(ledger, delivery_id="d-1"):
    """Put a queued delivery into the quarantine: its worker dies after it confirmed."""
    record = await claim_one(ledger)
    await ledger.confirm(delivery_id, record.token)
    await lapse(ledger, delivery_id)
    assert (await claim(ledger)).records == ()
    return record


def settlement(record, state, **given):
    return Settlement(delivery_id=record.delivery.id, token=record.token, state=state, **given)


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
    first = await claim_one(ledger)
    await lapse(ledger, "d-1")
    second = await claim_one(ledger, worker="w2")
    assert (second.claims, second.crashes, second.alone) == (2, 0, False)
    assert second.token != first.token
    assert await ledger.settle(settlement(first, State.SUCCEEDED)) is False
    assert await ledger.checkpoint("d-1", first.token, a_run(first)) is False
    assert await ledger.renew([("d-1", first.token)]) == [("d-1", first.token)]
    assert await ledger.settle(settlement(second, State.SUCCEEDED, run=a_run(second))) is True
    record = await listing.get("d-1")
    assert [(one.number, one.worker, one.ending) for one in record.history] == [
        (1, "w1", Ending.CRASHED),
        (2, "w1", Ending.SETTLED),
    ]
    assert record.crashes == 0


async def test_a_renewed_lease_holds(ledger):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    await lapse(ledger, "d-1")  # nobody has claimed it since
    lost = await ledger.renew([("d-1", record.token), ("gone", "x")])
    assert lost == [("gone", "x")]
    assert (await ledger.redis.zscore(ledger.keys.queue, "d-1")) >= record.due_ms
    leases = [("d-1", record.token), ("d-1", "other")]
    assert await ledger.renew(leases) == leases[1:]


async def test_a_holder_that_lives_has_time_to_renew_after_redis_was_away(ledger):
    """Also when those who claim have not noticed that it was: it hung between two of their claims."""
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    await ledger.redis.zadd(ledger.keys.queue, {"d-1": 1}, xx=True)
    for _ in range(2):
        claims = await claim(ledger, worker="w2")
        assert claims.records == ()
        assert claims.next_due_ms > claims.now_ms
    assert await ledger.renew([("d-1", record.token)]) == []
    await ledger.redis.zadd(ledger.keys.queue, {"d-1": 1}, xx=True)
    assert (await claim(ledger, worker="w2")).records == ()  # each lease that ends is looked at twice
    await lapse(ledger, "d-1")
    claims = await claim(ledger, worker="w2")
    assert claims.quarantine_due_ms <= claims.now_ms


async def test_a_second_claim_that_died_unconfirmed_or_one_that_was_confirmed_is_quarantined(ledger, listing):
    for name in ("d-1", "d-2"):
        await ledger.accept(a_delivery(name))
    first, second = (await claim(ledger)).records
    await ledger.renew([(first.delivery.id, first.token)])
    await lapse(ledger, "d-1", "d-2")
    claims = await claim(ledger)
    assert [one.delivery.id for one in claims.records] == [second.delivery.id]
    assert claims.quarantine_due_ms <= claims.now_ms
    await lapse(ledger, second.delivery.id)
    assert (await claim(ledger)).records == ()
    stats = await listing.stats()
    assert (stats.quarantined, stats.states[State.QUEUED]) == (2, 2)
    record = await listing.get(first.delivery.id)
    assert record.quarantined_ms is not None
    assert record.due_ms == record.quarantined_ms
    assert {one.delivery.id for one in (await listing.page(Filter(state=State.QUEUED), limit=9)).records} == {
        "d-1",
        "d-2",
    }


async def test_a_delivery_that_crashes_three_workers_while_alone_is_failed_and_says_so(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    waits = []
    for _ in range(3):
        await let_quarantine_pass(ledger)
        await claim_alone(ledger, confirmed=True)
        await lapse(ledger, "d-1")
        claims = await claim(ledger)
        if claims.quarantine_due_ms is not None:
            waits.append((claims.quarantine_due_ms - claims.now_ms) // 1000)
    record = await listing.get("d-1")
    assert waits == [30, 300]
    assert (record.state, record.crashes) == (State.FAILED, 3)
    assert record.error == "its worker crashed 3 times while running it alone (last: w1)"
    assert [one.ending for one in record.history] == [Ending.CRASHED] * 4


async def test_a_claim_that_nobody_confirmed_counts_nothing(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    for _ in range(10):
        await claim_alone(ledger)
        await lapse(ledger, "d-1")
        claims = await claim(ledger)
        assert claims.quarantine_due_ms <= claims.now_ms
    assert (await listing.get("d-1")).crashes == 0


async def test_a_holder_that_lives_gets_its_delivery_back_out_of_the_quarantine(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    record = await quarantine(ledger)
    assert await ledger.renew([("d-1", record.token)]) == []
    back = await listing.get("d-1")
    assert (back.state, back.quarantined_ms, back.claims) == (State.RUNNING, None, 1)
    assert (await ledger.claim_quarantined(worker="w2")).records == ()
    assert await ledger.settle(settlement(record, State.SUCCEEDED)) is True


@pytest.mark.parametrize("how", ["renew", "checkpoint", "settle"])
async def test_a_holder_that_lives_takes_the_last_crash_back(ledger, listing, how):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    for _ in range(3):
        await let_quarantine_pass(ledger)
        record = await claim_alone(ledger, confirmed=True)
        await lapse(ledger, "d-1")
        await claim(ledger)
    assert (await listing.get("d-1")).state is State.FAILED
    if how == "renew":
        assert await ledger.renew([("d-1", record.token)]) == []
        assert await ledger.renew([("d-1", record.token)]) == []  # twice: an answer got lost
    elif how == "checkpoint":
        assert await ledger.checkpoint("d-1", record.token, a_run(record)) is True
    else:
        assert await ledger.settle(settlement(record, State.SUCCEEDED, run=a_run(record))) is True
        stored = await listing.get("d-1")
        assert (stored.state, stored.crashes, stored.error) == (State.SUCCEEDED, 0, None)
        return
    stored = await listing.get("d-1")
    assert (stored.state, stored.crashes, stored.error) == (State.RUNNING, 2, None)


async def test_a_holder_that_lives_takes_its_crash_back_once_although_somebody_else_has_the_delivery(
    ledger, listing
):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    holders = []
    for _ in range(2):
        await let_quarantine_pass(ledger)
        holders.append(await claim_alone(ledger, confirmed=True))
        await lapse(ledger, "d-1")
        await claim(ledger)
    await let_quarantine_pass(ledger)
    await claim_alone(ledger, worker="w2")
    lease = ("d-1", holders[0].token)
    for _ in range(3):
        assert await ledger.renew([lease]) == [lease]
        assert (await listing.get("d-1")).crashes == 1


async def test_a_verdict_falls_with_a_crash_that_was_none(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    holders = []
    for _ in range(3):
        await let_quarantine_pass(ledger)
        holders.append(await claim_alone(ledger, confirmed=True))
        await lapse(ledger, "d-1")
        await claim(ledger)
    await ledger.renew([("d-1", holders[0].token)])
    stored = await listing.get("d-1")
    assert (stored.state, stored.crashes) == (State.QUEUED, 2)
    assert (await claim_alone(ledger)).error is None


async def test_hundreds_in_the_quarantine_cost_fresh_work_nothing(ledger, client):
    """A scan past them, and a wake-up token for what nobody may take, once made a busy loop of it."""
    await asyncio.gather(*(ledger.accept(a_delivery(f"old-{number}")) for number in range(500)))
    while records := (await claim(ledger, 100)).records:
        assert await ledger.renew([(one.delivery.id, one.token) for one in records]) == []
    await lapse(ledger, *(f"old-{number}" for number in range(500)))
    while (claims := await claim(ledger, 100)).next_due_ms is not None:
        assert claims.records == ()
    assert await client.zcard(ledger.keys.quarantine) == 500
    await claim_alone(ledger)
    await client.delete(ledger.keys.wake)
    await ledger.accept(a_delivery("fresh"))
    assert [one.delivery.id for one in (await claim(ledger, 10)).records] == ["fresh"]
    await client.delete(ledger.keys.wake)
    idle = await claim(ledger, 10)
    assert idle.next_due_ms > idle.now_ms
    assert await client.llen(ledger.keys.wake) == 0


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


async def test_a_release_does_not_count_a_run(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    assert record.runs == 1
    await ledger.settle(settlement(record, State.QUEUED))
    assert (await listing.get("d-1")).runs == 0
    assert (await claim_one(ledger)).runs == 1


async def test_what_is_released_from_the_quarantine_goes_back_there(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    record = await claim_alone(ledger, confirmed=True)
    await ledger.settle(settlement(record, State.QUEUED))
    stored = await listing.get("d-1")
    assert (stored.state, stored.alone) == (State.QUEUED, False)
    assert stored.quarantined_ms is not None
    assert (await claim(ledger)).records == ()
    assert (await claim_alone(ledger)).claims == 3


async def test_what_leaves_the_quarantine_by_its_outcome_goes_the_ordinary_way(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    await quarantine(ledger)
    record = await claim_alone(ledger, confirmed=True)
    await ledger.settle(settlement(record, State.RETRYING))
    again = await claim_one(ledger)
    assert (again.alone, again.quarantined_ms, again.crashes) == (False, None, 0)


@pytest.mark.parametrize("unconfirmed", [False, True])
async def test_the_fence_holds_across_a_discard_and_a_second_accept(ledger, listing, unconfirmed):
    await ledger.accept(a_delivery("d-1"))
    old = await claim_one(ledger)
    await ledger.discard(["d-1"])
    await ledger.accept(a_delivery("d-1"))
    new = await claim_one(ledger, worker="w2")
    assert (old.claims, new.claims) == (1, 1)
    if unconfirmed:
        await lapse(ledger, "d-1")
        new = await claim_one(ledger, worker="w2")
    lease = ("d-1", old.token)
    assert await ledger.renew([lease]) == [lease]
    assert await ledger.checkpoint("d-1", old.token, a_run(old)) is False
    assert await ledger.settle(settlement(old, State.FAILED, error="no")) is False
    assert (await listing.get("d-1")).state is State.RUNNING
    assert await ledger.settle(settlement(new, State.SUCCEEDED)) is True


async def test_the_fence_holds_across_a_failover_to_a_replica_that_lacked_the_claim(ledger, listing, client):
    await ledger.accept(a_delivery("d-1"))
    key = ledger.keys.delivery("d-1")
    record, queue, states = [await client.dump(one) for one in (key, ledger.keys.queue, ledger.keys.states)]
    old = await claim_one(ledger)
    for one, dumped in ((key, record), (ledger.keys.queue, queue), (ledger.keys.states, states)):
        await client.restore(one, 0, dumped, replace=True)
    new = await claim_one(ledger, worker="w2")
    assert (old.claims, new.claims) == (1, 1)
    assert await ledger.settle(settlement(old, State.FAILED, error="no")) is False
    assert await ledger.settle(settlement(new, State.SUCCEEDED)) is True
    assert (await listing.get("d-1")).state is State.SUCCEEDED


async def test_a_settle_sent_again_is_answered_from_the_record(ledger):
    """An answer may get lost for as long as it takes others to claim and settle the delivery."""
    await ledger.accept(a_delivery("d-1"))
    first = await claim_one(ledger)
    written = settlement(first, State.RETRYING, run=a_run(first))
    assert await ledger.settle(written) is True
    assert await ledger.settle(written) is True
    second = await claim_one(ledger, worker="w2")
    assert await ledger.settle(written) is True
    await lapse(ledger, "d-1")
    third = await claim_one(ledger, worker="w3")
    assert await ledger.settle(written) is True
    assert await ledger.settle(settlement(second, State.SUCCEEDED)) is False
    assert await ledger.settle(settlement(third, State.SUCCEEDED)) is True
    assert await ledger.settle(settlement(second, State.SUCCEEDED)) is False
    assert await ledger.settle(written) is True


@pytest.mark.parametrize("ending", ["settled", "lapsed", "quarantined", "last crash"])
async def test_a_replay_that_was_answered_running_is_followed_by_a_run(ledger, listing, ending):
    await ledger.accept(a_delivery("d-1"))
    if ending == "last crash":
        await quarantine(ledger)
        for _ in range(3):
            await let_quarantine_pass(ledger)
            record = await claim_alone(ledger, confirmed=True)
            if _ < 2:
                await lapse(ledger, "d-1")
                await claim(ledger)
    else:
        record = await claim_one(ledger)
    assert (
        await ledger.checkpoint("d-1", record.token, a_run(record, an_attempt("bot:a"))) or ending == "lapsed"
    )
    assert await ledger.replay(["d-1"], what="all", now_ms=1) == {"d-1": "running"}
    assert await ledger.replay(["d-1"], what="failed", now_ms=1) == {"d-1": "running"}
    if ending == "settled":
        await ledger.settle(settlement(record, State.SUCCEEDED, run=a_run(record, an_attempt("bot:a"))))
        again = await claim_one(ledger)
    else:
        await lapse(ledger, "d-1")
        assert (await claim(ledger)).records == ()
        again = await claim_alone(ledger)
    assert (again.runs, again.crashes, again.round_from, again.done_from) == (
        1,
        0,
        record.claims + 1,
        record.claims + 1,
    )
    assert again.succeeded_handlers() == frozenset()


async def test_a_replay_of_what_seemed_dead_follows_the_run_of_a_holder_that_comes_back(ledger, listing):
    await ledger.accept(a_delivery("d-1"))
    record = await quarantine(ledger)
    assert await ledger.replay(["d-1"], what="all", now_ms=1) == {"d-1": "queued"}
    assert await ledger.settle(settlement(record, State.SUCCEEDED, run=a_run(record, an_attempt("bot:a"))))
    assert (await listing.get("d-1")).state is State.QUEUED
    assert (await claim_one(ledger)).succeeded_handlers() == frozenset()


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
    left = {key.decode() for key in await client.keys("*") if await client.ttl(key) == -1}
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


async def test_claims_that_died_leave_nothing_behind_and_forget_no_success(ledger, listing):
    from hookyard.settings.limits import KEPT_RUNS

    await ledger.accept(a_delivery("d-1"))
    record = await claim_one(ledger)
    await ledger.settle(settlement(record, State.RETRYING, run=a_run(record, an_attempt("bot:a"))))
    await quarantine(ledger)
    for _ in range(KEPT_RUNS + 20):
        record = await claim_alone(ledger)
        await lapse(ledger, "d-1")
        await claim(ledger)
    assert record.succeeded_handlers() == {"bot:a"}
    stored = await listing.get("d-1")
    assert len(stored.history) == KEPT_RUNS + 1
    assert stored.history[0].number == 1
    assert stored.history[1].number == stored.claims - KEPT_RUNS + 1


@pytest.mark.parametrize(
    "member", [b"\xff\xfe", "ä".encode(), b"no-such-job", b"a b", b"line\nbreak", b"", b"x" * 5000]
)
async def test_a_queue_member_of_any_bytes_stops_nobody(ledger, listing, client, member):
    await client.zadd(ledger.keys.queue, {member: 0})
    await ledger.accept(a_delivery("d-1"))
    assert (await listing.page(Filter(state=State.QUEUED), limit=9)).records
    claims = await claim(ledger)
    assert [one.delivery.id for one in claims.records] == ["d-1"]
    assert claims.foreign == ()
    assert await client.zrange(ledger.keys.queue, 0, -1) == [b"d-1"]


async def test_arqs_cron_jobs_are_passed_on(ledger, client):
    await client.enqueue_job("tick", _job_id="cron:tick:1", _queue_name=ledger.keys.queue)

    async def passed_on():
        return (await claim(ledger)).foreign  # due by Redis's clock, which may be a millisecond behind arq's

    assert await until(passed_on) == ("cron:tick:1",)
    await client.zrem(ledger.keys.queue, "cron:tick:1")
    await client.delete("arq:job:cron:tick:1")


async def test_a_claim_that_leaves_due_work_behind_passes_the_wake_up_on(ledger, client):
    for number in range(3):
        await ledger.accept(a_delivery(f"d-{number}"))
    await client.delete(ledger.keys.wake)
    await claim(ledger, 2)
    assert await client.llen(ledger.keys.wake) == 1
    await ledger.wake()
    assert await client.llen(ledger.keys.wake) == 1


async def test_the_clock_of_redis_is_known_after_a_claim(ledger, client, monkeypatch):
    import time

    await claim(ledger)
    monkeypatch.setattr(time, "time_ns", lambda: 5)  # this machine's time of day does not count
    seconds, micros = await client.time()
    assert abs(ledger.redis_now_ms() - (seconds * 1000 + micros // 1000)) < 1000


async def test_claims_settles_and_heartbeats_work_on_a_full_redis(ledger, client, listing):
    """Otherwise nothing could ever be finished, and nothing finished could make room."""
    for name in ("d-1", "d-2"):
        await ledger.accept(a_delivery(name))
    first = await claim_one(ledger)
    await quarantine(ledger, "d-2")
    await ledger.accept(a_delivery("d-3"))
    await client.config_set("maxmemory", 1)
    try:
        third = await claim_one(ledger)
        alone = await claim_alone(ledger, confirmed=True)
        assert await ledger.renew([("d-1", first.token)]) == []
        assert await ledger.checkpoint("d-1", first.token, a_run(first))
        for record in (first, alone):
            assert await ledger.settle(settlement(record, State.SUCCEEDED, run=a_run(record)))
        assert await ledger.settle(settlement(third, State.RETRYING, run=a_run(third)))
        await ledger.scripts.call("beat", keys=[ledger.keys.workers], args=["w", 45_000])
        assert await ledger.discard(["d-3"]) == 1
    finally:
        await client.config_set("maxmemory", 0)
    assert (await listing.stats()).states[State.SUCCEEDED] == 2


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
