"""The worker's loop, against a real Redis."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from gidgetlab.routing import Router

from hookyard import GiveUp, RetryAfter, current_delivery, policy
from hookyard.ledger.records import Ending, Outcome, State
from tests.fakes import a_delivery, until
from worker.app import serve


async def finished(listing, delivery_id):
    """Return the record once it is in a final state."""

    async def look():
        record = await listing.get(delivery_id)
        return record if record and record.state in {State.SUCCEEDED, State.FAILED, State.IGNORED} else None

    return await until(look)


async def test_a_delivery_is_handled_as_soon_as_it_is_accepted(start_worker, ledger, listing):
    router, seen = Router(), []

    @router.register("Push Hook")
    async def push(event, gl):
        seen.append(event.data)

    await start_worker(router)
    await ledger.accept(a_delivery("d-1", data={"ref": "main"}))
    record = await finished(listing, "d-1")
    assert record.state is State.SUCCEEDED
    assert seen == [{"ref": "main"}]
    assert [attempt.outcome for attempt in record.history[0].attempts] == [Outcome.SUCCEEDED]


async def test_only_the_failed_handler_runs_again(start_worker, ledger, listing):
    router, runs = Router(), []

    @router.register("Push Hook")
    async def first(event, gl):
        runs.append("first")

    @router.register("Push Hook")
    async def second(event, gl):
        runs.append("second")
        if runs.count("second") < 3:
            raise ValueError("not yet")

    @router.register("Push Hook")
    async def third(event, gl):
        runs.append("third")

    await start_worker(router, HOOKYARD_BACKOFF_S=0.05)
    await ledger.accept(a_delivery("d-1"))
    record = await finished(listing, "d-1")
    assert record.state is State.SUCCEEDED
    assert (runs.count("first"), runs.count("second"), runs.count("third")) == (1, 3, 1)
    assert [run.ending for run in record.history] == [Ending.SETTLED] * 3
    failure = record.history[0].attempts[1]
    assert failure.error == "ValueError: not yet"
    assert "not yet" in failure.traceback


async def test_what_no_handler_wants_is_ignored(start_worker, ledger, listing):
    await start_worker(Router())
    await ledger.accept(a_delivery("d-1"))
    assert (await finished(listing, "d-1")).state is State.IGNORED


async def test_slots_bound_how_many_run_at_once(start_worker, ledger, listing):
    router, now, most = Router(), [0], [0]

    @router.register("Push Hook")
    async def push(event, gl):
        now[0] += 1
        most[0] = max(most[0], now[0])
        await until(lambda: most[0] >= 7)
        now[0] -= 1

    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{i}")) for i in range(50)))
    await start_worker(router, HOOKYARD_SLOTS=7)

    async def all_done():
        return (await listing.stats()).states[State.SUCCEEDED] == 50

    await until(all_done)
    assert most[0] == 7


async def test_giving_up_is_final_and_the_other_handlers_still_run(start_worker, ledger, listing):
    router, runs = Router(), []

    @router.register("Push Hook")
    async def hopeless(event, gl):
        runs.append("hopeless")
        raise GiveUp("there is no such branch")

    @router.register("Push Hook")
    async def shaky(event, gl):
        runs.append("shaky")
        if runs.count("shaky") < 2:
            raise ValueError

    await start_worker(router, HOOKYARD_BACKOFF_S=0.05)
    await ledger.accept(a_delivery("d-1"))
    record = await finished(listing, "d-1")
    assert record.state is State.FAILED
    assert runs == ["hopeless", "shaky", "shaky"]
    assert "there is no such branch" in record.error


async def test_a_replay_of_the_failed_runs_only_those(start_worker, ledger, listing):
    router, runs, mended = Router(), [], []

    @router.register("Push Hook")
    async def fine(event, gl):
        runs.append("fine")

    @router.register("Push Hook")
    @policy(max_attempts=1)
    async def broken(event, gl):
        runs.append("broken")
        if not mended:
            raise ValueError

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    assert (await finished(listing, "d-1")).state is State.FAILED
    mended.append(True)
    await ledger.replay(["d-1"], what="failed", now_ms=1)

    async def succeeded():
        return (await listing.get("d-1")).state is State.SUCCEEDED

    await until(succeeded)
    assert runs == ["fine", "broken", "broken"]
    await ledger.replay(["d-1"], what="all", now_ms=1)
    await until(lambda: len(runs) == 5)


async def test_a_handler_that_takes_too_long_is_timed_out_and_tried_again(start_worker, ledger, listing):
    router, runs = Router(), []

    @router.register("Push Hook")
    @policy(timeout=0.05, backoff=0.01)
    async def slow(event, gl):
        runs.append(1)
        if len(runs) == 1:
            await asyncio.sleep(30)

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    record = await finished(listing, "d-1")
    assert record.state is State.SUCCEEDED
    first = record.history[0].attempts[0]
    assert (first.outcome, first.error) == (Outcome.TIMED_OUT, "it ran longer than 0.05 s")


async def test_retry_after_is_kept_to_while_other_handlers_do_not_wait_for_it(start_worker, ledger, listing):
    router, runs = Router(), []

    @router.register("Push Hook")
    async def patient(event, gl):
        runs.append("patient")
        raise RetryAfter(3600)

    @router.register("Push Hook")
    async def quick(event, gl):
        runs.append("quick")
        if runs.count("quick") < 3:
            raise ValueError

    await start_worker(router, HOOKYARD_BACKOFF_S=0.02)
    await ledger.accept(a_delivery("d-1"))

    async def waits():
        record = await listing.get("d-1")
        return record.state is State.RETRYING and runs.count("quick") == 3 and record

    record = await until(waits)
    assert runs.count("patient") == 1
    assert record.due_ms - record.delivery.received_ms > 3_500_000
    assert record.succeeded_handlers() == {f"{quick.__module__}:{quick.__qualname__}"}


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        asyncio.CancelledError(),
        KeyError("x"),
        TimeoutError(),
        ExceptionGroup("many", [ValueError()]),
    ],
    ids=repr,
)
async def test_whatever_a_handler_raises_is_its_outcome(start_worker, ledger, listing, error):
    router = Router()

    @router.register("Push Hook")
    @policy(max_attempts=1)
    async def odd(event, gl):
        raise error

    engine = await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    record = await finished(listing, "d-1")
    assert record.state is State.FAILED
    assert type(error).__name__ in record.error
    assert record.history[0].attempts[0].outcome is Outcome.FAILED
    await until(lambda: engine.jobs_failed == 1)  # counted after it was written down


async def test_a_plain_function_runs_in_a_thread_with_the_delivery_in_reach(start_worker, ledger, listing):
    router, seen = Router(), []

    @router.register("Push Hook")
    def plain(event, gl):
        time.sleep(0.05)  # must not block the loop
        seen.append((current_delivery().id, threading.current_thread() is threading.main_thread()))

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    assert (await finished(listing, "d-1")).state is State.SUCCEEDED
    assert seen == [("d-1", False)]


async def test_a_handler_knows_its_delivery_and_its_try(start_worker, ledger, listing):
    router, seen = Router(), []

    @router.register("Push Hook")
    async def curious(event, gl):
        me = await asyncio.create_task(asyncio.to_thread(current_delivery))
        seen.append((me.id, me.attempt, me.handler, me.event_uuid))
        me.log.info("seen")
        if len(seen) == 1:
            raise ValueError

    await start_worker(router, HOOKYARD_BACKOFF_S=0.01)
    delivery = a_delivery("d-1")
    await ledger.accept(delivery)
    await finished(listing, "d-1")
    name = f"{curious.__module__}:{curious.__qualname__}"
    assert seen == [("d-1", 1, name, delivery.event_uuid), ("d-1", 2, name, delivery.event_uuid)]


async def test_closing_hands_back_what_runs_without_counting_a_try(start_worker, ledger, listing):
    router, events = Router(), []

    @router.register("Push Hook")
    async def done(event, gl):
        events.append("done")

    @router.register("Push Hook")
    async def stuck(event, gl):
        events.append("stuck")
        await asyncio.sleep(3600)

    engine = await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    await until(lambda: "stuck" in events)
    await engine.close()
    record = await listing.get("d-1")
    assert (record.state, record.runs) == (State.QUEUED, 0)
    assert record.history[-1].ending is Ending.RELEASED
    assert {name.rpartition(".")[2] for name in record.succeeded_handlers()} == {"done"}
    assert record.due_ms <= time.time() * 1000


async def test_burst_ends_when_the_queue_is_empty(make_settings, ledger, listing):
    router, seen = Router(), []

    @router.register("Push Hook")
    async def push(event, gl):
        seen.append(1)

    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{n}")) for n in range(500)))
    await asyncio.wait_for(serve(make_settings(), burst=True, router=router), 60)
    assert len(seen) == 500
    assert (await listing.stats()).states[State.SUCCEEDED] == 500


async def test_arqs_health_key_still_works(start_worker, ledger, client):
    supervisor = await start_worker(Router())
    health = ledger.keys.queue + ":health-check"

    async def shown():
        return b"j_complete" in (await client.get(health) or b"")

    await until(shown)
    await supervisor.close()
    assert await client.get(health) is None


async def test_a_member_of_the_queue_that_is_no_delivery_is_removed(start_worker, ledger, client):
    await client.zadd(ledger.keys.queue, {"cron:other:123": 1})
    await start_worker(Router())

    async def removed():
        return await client.zcard(ledger.keys.queue) == 0

    await until(removed)


async def test_a_discarded_delivery_stops_running(start_worker, ledger, listing):
    router, events = Router(), []

    @router.register("Push Hook")
    async def slow(event, gl):
        events.append("start")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            events.append("stopped")
            raise

    await start_worker(router, HOOKYARD_LEASE_S=1, HOOKYARD_REDIS_TIMEOUT_S=0.3)
    await ledger.accept(a_delivery("d-1"))
    await until(lambda: "start" in events)
    await ledger.discard(["d-1"])
    await until(lambda: "stopped" in events)
    assert await listing.get("d-1") is None


async def test_an_idle_worker_leaves_redis_alone(start_worker, client):
    await start_worker(Router())
    await asyncio.sleep(0.5)  # let it come to rest
    before = (await client.info("stats"))["total_commands_processed"]
    await asyncio.sleep(3)
    after = (await client.info("stats"))["total_commands_processed"]
    assert after - before <= 2 * 3 + 2  # the two INFOs are ours


async def test_many_workers_fill_all_their_slots(start_worker, ledger, listing):
    router, now, most, go_on = Router(), [0], [0], asyncio.Event()

    @router.register("Push Hook")
    async def hold(event, gl):
        now[0] += 1
        most[0] = max(most[0], now[0])
        await go_on.wait()

    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{n}")) for n in range(400)))
    for _ in range(20):
        await start_worker(router, HOOKYARD_SLOTS=10)
    await until(lambda: most[0] == 200)
    go_on.set()

    async def all_done():
        return (await listing.stats()).states[State.SUCCEEDED] == 400

    await until(all_done)
