"""Handlers that wait, enqueue work and return values, against a real Redis."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from gidgetlab.routing import Router
from msgspec import structs

from hookyard import Bot, Wait, current_delivery, policy
from hookyard.ledger import schedules
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Outcome, State
from hookyard.ledger.search import Search
from tests.fakes import a_delivery, until

DONE = {State.SUCCEEDED, State.FAILED, State.IGNORED}


@pytest.fixture
def ended(listing):
    """Gives a coroutine function that waits until a delivery has ended, and returns its record."""

    async def look(one):
        record = await listing.get(one)
        return record if record and record.state in DONE else None

    async def wait(one):
        return await until(lambda: look(one))

    return wait


@pytest.fixture
def waiting(listing):
    """Gives a coroutine function that waits until a delivery waits, and returns its record."""

    async def look(one):
        record = await listing.get(one)
        return record if record and record.state is State.WAITING else None

    async def wait(one):
        return await until(lambda: look(one))

    return wait


def attempts(record):
    return [attempt for run in record.history for attempt in run.attempts]


async def test_waiting_is_not_failing(start_worker, ledger, waiting, ended):
    router, seen = Router(), []

    @router.register("Push Hook")
    @policy(max_attempts=1)
    async def push(event, gl):
        seen.append(current_delivery().attempt)
        if len(seen) < 4:
            raise Wait(0.2, "pipeline 81 is running")

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    record = await waiting("d-1")
    assert "pipeline 81 is running" in record.error
    record = await ended("d-1")
    assert (record.state, record.error) == (State.SUCCEEDED, None)
    assert seen == [1, 1, 1, 1]
    assert [each.outcome for each in attempts(record)] == [Outcome.WAITING] * 3 + [Outcome.SUCCEEDED]
    assert not any(each.traceback for each in attempts(record))


async def test_attempts_that_failed_are_counted_on_while_it_waits(start_worker, ledger, ended):
    router, seen = Router(), []

    @router.register("Push Hook")
    @policy(max_attempts=2, backoff=0.01)
    async def push(event, gl):
        seen.append(current_delivery().attempt)
        if len(seen) % 2:
            raise Wait(0)
        raise ValueError

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    assert (await ended("d-1")).state is State.FAILED
    assert seen == [1, 1, 2, 2]


async def test_it_waits_as_long_as_it_may(start_worker, ledger, ended):
    router, seen = Router(), []

    @router.register("Push Hook")
    @policy(wait_at_most=0.5)
    async def push(event, gl):
        seen.append(time.monotonic())
        raise Wait(3600, "for ever")

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    record = await ended("d-1")
    assert record.state is State.FAILED
    assert "it waited for 0.5 s, as long as it may: for ever" in record.error
    assert len(seen) == 2
    assert seen[1] - seen[0] > 0.4


@pytest.mark.parametrize("by", ["object", "key"])
async def test_what_it_waits_for_wakes_it(start_worker, ledger, waiting, ended, client, by):
    router, seen = Router(), []

    @router.register("Push Hook")
    async def waits(event, gl):
        seen.append("waits")
        if len(seen) == 1:
            raise Wait(3600, wake_on="group/app!12" if by == "object" else "pipeline 81")

    @router.register("Pipeline Hook")
    @policy(key=lambda event: "pipeline 81")
    async def comes(event, gl):
        seen.append("comes")

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    await waiting("d-1")
    await ledger.accept(a_delivery("d-2", "Pipeline Hook", project="group/app", object="!1"))
    if by == "object":
        assert (await ended("d-2")).state is State.SUCCEEDED
        await ledger.accept(a_delivery("d-3", "Note Hook", project="group/app", object="!12"))
    assert (await ended("d-1")).state is State.SUCCEEDED
    assert await client.exists(ledger.keys.alarms) == 0


async def test_a_wake_up_that_comes_while_it_still_runs_is_not_lost(start_worker, ledger, ended):
    router, seen, arrived = Router(), [], asyncio.Event()

    @router.register("Push Hook")
    async def waits(event, gl):
        seen.append("waits")
        if len(seen) < 3:
            raise Wait(3600 if seen != ["waits"] else 0, wake_on="group/app!12")
        arrived.set()

    @router.register("Push Hook")
    async def slow(event, gl):
        if "waits" in seen:
            await ledger.accept(a_delivery(f"n-{len(seen)}", "Note Hook", project="group/app", object="!12"))
            await asyncio.sleep(0.05)

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    await ledger.accept(a_delivery("d-2", "Note Hook", project="group/app", object="!12"))

    async def again():
        await ledger.accept(a_delivery(f"w-{time.time_ns()}", "Note Hook", project="group/app", object="!12"))
        return arrived.is_set()

    await until(again)
    assert (await ended("d-1")).state is State.SUCCEEDED


async def test_what_waits_is_found_by_its_state(start_worker, ledger, waiting, client):
    router = Router()

    @router.register("Push Hook")
    async def push(event, gl):
        raise Wait(3600)

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    await waiting("d-1")
    found = await Search(client, ledger.keys).page(Filter(state=State.WAITING), limit=5)
    assert [record.delivery.id for record in found.records] == ["d-1"]
    await ledger.discard(["d-1"])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"labels": ["a"]}, '{"labels": ["a"]}'),
        (7, "7"),
        (None, None),
        (object(), None),
        ("x" * 20_000, None),
        (float("nan"), None),
    ],
)
async def test_what_a_handler_returns_is_kept_where_json_can_hold_it(
    start_worker, ledger, ended, value, kept
):
    router = Router()

    @router.register("Push Hook")
    async def push(event, gl):
        return value

    await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    record = await ended("d-1")
    assert record.state is State.SUCCEEDED
    assert attempts(record)[0].result == kept


async def test_a_task_is_a_delivery_of_its_own(start_worker, ledger, ended):
    bot, seen = Bot(), []

    @bot.task
    async def announce(event, gl):
        seen.append((event.data, current_delivery().parent))

    @bot.register("Push Hook")
    async def push(event, gl):
        await announce.enqueue({"text": "hello"})

    await start_worker(bot)
    await ledger.accept(a_delivery("d-1", project="group/app", object="!1"))
    (child_id,) = attempts(await ended("d-1"))[0].enqueued
    child = await ended(child_id)
    assert seen == [({"text": "hello"}, "d-1")]
    assert (child.delivery.origin, child.delivery.parent, child.delivery.project) == (
        "handler",
        "d-1",
        "group/app",
    )
    assert child.delivery.event.startswith("task:")


async def test_what_fails_enqueues_nothing_and_what_succeeds_enqueues_once(
    start_worker, ledger, ended, client
):
    bot, seen, runs = Bot(), [], []

    @bot.task
    async def announce(event, gl):
        seen.append(event.data)

    @bot.register("Push Hook")
    @policy(backoff=0.01)
    async def push(event, gl):
        runs.append(1)
        await announce.enqueue(len(runs))
        if len(runs) < 3:
            raise ValueError

    @bot.register("Push Hook")
    async def other(event, gl):
        """Run after it, so that its success is checkpointed."""

    await start_worker(bot)
    await ledger.accept(a_delivery("d-1"))
    (child_id,) = attempts(await ended("d-1"))[-1].enqueued
    await ended(child_id)
    assert seen == [3]
    assert await client.zcard(ledger.keys.received) == 2


async def test_once_is_once_however_many_handlers_want_it(start_worker, ledger, ended, client):
    bot, seen = Bot(), []

    @bot.task
    async def announce(event, gl):
        seen.append(event.data)

    @bot.register("Push Hook")
    def push(event, gl):
        announce.enqueue(event.data, once="announce-7", delay=0.2)

    await start_worker(bot)
    for n in range(5):
        await ledger.accept(a_delivery(f"d-{n}"))
        await ended(f"d-{n}")
    await until(lambda: seen)
    assert await client.zcard(ledger.keys.received) == 6
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("data", "given"), [(object(), {}), ("x" * 300_000, {}), (1, {"delay": -1}), (1, {"once": "x" * 201})]
)
async def test_what_cannot_be_enqueued_is_refused(start_worker, ledger, ended, data, given):
    bot = Bot()

    @bot.task
    async def announce(event, gl):
        """Do nothing."""

    @bot.register("Push Hook")
    @policy(max_attempts=1)
    async def push(event, gl):
        await announce.enqueue(data, **given)

    await start_worker(bot)
    await ledger.accept(a_delivery("d-1"))
    record = await ended("d-1")
    assert record.state is State.FAILED
    with pytest.raises(LookupError):
        announce.enqueue({})


async def test_a_schedule_is_one_delivery_a_tick(start_worker, ledger, ended, client, listing):
    bot, seen = Bot(), []

    @bot.schedule("* * * * * *", timezone="Europe/Stockholm")
    async def tick(event, gl):
        seen.append(event.data["tick"])

    for _ in range(3):
        await start_worker(bot)
    await until(lambda: len(seen) >= 3)
    assert len(seen) == len(set(seen))
    ids = await client.zrange(ledger.keys.received, 0, -1)
    records = [await listing.get(one.decode()) for one in ids]
    assert {record.delivery.origin for record in records} == {"schedule"}
    assert {json.loads(record.delivery.body)["schedule"] for record in records} == {
        records[0].delivery.event[9:]
    }


@pytest.mark.parametrize("catch_up", [True, False])
async def test_ticks_that_nobody_saw(start_worker, ledger, client, catch_up):
    bot, seen = Bot(), []

    @bot.schedule("* * * * *", catch_up=catch_up)
    async def tick(event, gl):
        seen.append(event.data["tick"])

    supervisor = await start_worker(bot)

    async def known():
        return await client.hlen(ledger.keys.schedules)

    await until(known)
    await supervisor.close()
    ((name, told),) = (await schedules.read_all(client, ledger.keys)).items()
    earlier = structs.replace(told, looked_ms=told.looked_ms - 600_000)
    await schedules.write(client, ledger.keys, name, earlier)
    seen.clear()
    await start_worker(bot)
    if catch_up:
        await until(lambda: len(seen) >= 9)
    else:
        await until(lambda: len(seen) >= 1)
        await asyncio.sleep(0.2)
        assert len(seen) <= 2
