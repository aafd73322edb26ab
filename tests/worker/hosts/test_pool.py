"""The hosts of a worker, here in this process: which one an attempt is given to, and when one is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from gidgetlab.routing import Router

from hookyard.host.messages import Blocked, Open, Opened, Pong
from hookyard.ledger.records import Outcome
from tests.fakes import until
from worker.hosts.gone import HostGone, LateStart
from worker.hosts.handle import BotUnusable, HostHandle, Kind
from worker.hosts.pool import ALONE_HOSTS, HostPool
from worker.hosts.start import LocalHosts


@contextlib.asynccontextmanager
async def host_of(pool, kind):
    """A host of this kind, with room in it reserved inside the block."""
    handle = await pool.acquire(kind)
    try:
        yield handle
    finally:
        pool.release(handle)


class Unheard:
    """Nobody who listens."""

    def called(self, called):
        """Ignore it."""

    def blocked(self, blocked):
        """Ignore it."""


async def quick(event, gl):
    """Succeed."""


async def waits(event, gl):
    await asyncio.Event().wait()


def plain(event, gl):
    """Succeed."""


@pytest.fixture
async def start(make_settings):
    """Gives a coroutine function that opens a pool of hosts for handlers."""
    opened = []

    async def start_pool(*calls, slots=10, **given):
        router = Router()
        for call in calls:
            router.add(call, "Push Hook")
        hosts = LocalHosts(make_settings(HOOKYARD_SLOTS=slots), Unheard(), router)
        pool = hosts.pool = HostPool(hosts.start, **{"count": 1, **given})
        opened.append(pool)
        await pool.open()
        return pool

    yield start_pool
    for pool in opened:
        await pool.close()


def delivery(number, **more):
    """The order to rebuild an event, for run *number*."""
    return Open(
        run=number,
        delivery_id="d",
        event="Push Hook",
        content_type="application/json",
        body=b"{}",
        received_ms=0,
        event_uuid=None,
        **more,
    )


async def run(handle, number, call=quick):
    """Have a host run a handler for run *number*."""
    _, error = await handle.open(delivery(number))
    assert error is None
    name = f"{call.__module__}:{call.__qualname__}"
    limits = {"attempt": 1, "start_by": 2.0**40, "timeout_s": 60.0, "kill_after_s": 5.0}
    return await handle.invoke(number, name, 0, **limits)


def of_kind(pool, kind):
    return [handle for handle, _ in pool.hosts if handle.kind is kind]


async def test_a_host_for_plain_functions_is_started_only_for_a_bot_that_has_some(start):
    without = await start(quick)
    both = await start(quick, plain)
    await until(lambda: of_kind(both, Kind.PLAIN))
    assert of_kind(without, Kind.PLAIN) == []
    async with host_of(both, Kind.PLAIN) as handle, host_of(both, Kind.SHARED) as other:
        assert (handle.kind, other.kind) == (Kind.PLAIN, Kind.SHARED)
        assert (await run(handle, 1, plain)).outcome == Outcome.SUCCEEDED


async def test_attempts_go_to_the_host_with_most_room(start):
    pool = await start(quick, count=3, slots=2)
    async with contextlib.AsyncExitStack() as stack:
        await until(lambda: sum(handle.is_ready for handle in of_kind(pool, Kind.SHARED)) == 3)
        given = [await stack.enter_async_context(host_of(pool, Kind.SHARED)) for _ in range(6)]
        assert len(set(given[:3])) == len(set(given[3:])) == 3
        waiting = asyncio.ensure_future(stack.enter_async_context(host_of(pool, Kind.SHARED)))
        await asyncio.sleep(0)
        assert not waiting.done()
        given[4].reserved -= 1  # its attempt has ended
        pool.changed()
        assert await waiting is given[4]
        given[4].reserved += 1
    assert len(pool.hosts) == 3


async def test_suspects_have_a_host_each_and_wait_for_one_beyond_a_limit(start):
    pool = await start(quick)
    async with contextlib.AsyncExitStack() as stack:
        given = [await stack.enter_async_context(host_of(pool, Kind.ALONE)) for _ in range(ALONE_HOSTS)]
        assert len(set(given)) == ALONE_HOSTS
        assert {handle.kind for handle in given} == {Kind.ALONE}
        another = asyncio.ensure_future(stack.enter_async_context(host_of(pool, Kind.ALONE)))
        await asyncio.sleep(0)
        assert not another.done()
        pool.ended(given[0], "SIGKILL")
        assert await another not in given


async def test_a_host_is_replaced_after_so_many_attempts_and_ends_when_it_is_idle(start):
    reasons = []
    pool = await start(quick, waits, max_attempts=3, replaced=reasons.append)
    async with host_of(pool, Kind.SHARED) as old:
        staying = asyncio.ensure_future(run(old, 1, waits))
        for number in (2, 3):
            assert (await run(old, number)).outcome == Outcome.SUCCEEDED
        await until(lambda: old.is_retiring)
        async with host_of(pool, Kind.SHARED) as new:
            assert new is not old
            assert (await run(new, 4)).outcome == Outcome.SUCCEEDED
        assert not old.is_gone
        old.cancel(1)
        assert (await staying).outcome == Outcome.INTERRUPTED
    await until(lambda: old.is_gone)
    assert of_kind(pool, Kind.SHARED) == [new]
    assert reasons == ["attempts"]


@pytest.mark.parametrize("others", [0, 1])
async def test_a_crash_is_held_against_an_attempt_only_where_it_was_alone(start, others):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        running = [asyncio.ensure_future(run(handle, number, waits)) for number in range(1, 2 + others)]
        await until(lambda: len(handle.running) == len(running))
        pool.ended(handle, "SIGSEGV")
        for each in running:
            with pytest.raises(HostGone, match="SIGSEGV") as caught:
                await each
            assert caught.value.outcome == (Outcome.INTERRUPTED if others else Outcome.CRASHED)
            assert caught.value.alone
    async with host_of(pool, Kind.SHARED) as new:
        assert new is not handle


async def test_a_run_that_is_cancelled_while_its_event_is_rebuilt_is_forgotten_by_the_host(start):
    pool = await start(quick)
    ((handle, body),) = pool.hosts
    opening = asyncio.ensure_future(run(handle, 1))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert (await run(handle, 2)).outcome == Outcome.SUCCEEDED
    assert list(body._host._runs) == [2]


class SlowToDie:
    """What runs a host, and takes its time to be dead."""

    def __init__(self):
        self.is_killed = False

    def kill(self):
        self.is_killed = True

    def executing(self):
        return 0

    def memory_bytes(self):
        return None


async def test_an_attempt_whose_host_is_killed_ends_when_the_host_is_dead(start):
    """It runs again then, elsewhere; the two must not overlap."""
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        own_body, body = pool._hosts[handle], SlowToDie()
        pool._hosts[handle] = body
        running = asyncio.create_task(run(handle, 1, waits))
        await until(lambda: handle.running)
        handle.give_up(1)
        await until(lambda: body.is_killed)
        assert not running.done()
        pool.ended(handle, "SIGKILL")
        with pytest.raises(HostGone) as gone:
            await running
    assert gone.value.outcome is Outcome.TIMED_OUT
    own_body.kill()


def begin(handle, number, start_by=2.0**40):
    """Have a host rebuild the event of run *number* and run its first handler."""
    return handle.begin(delivery(number, start_by=start_by), timeout_s=60.0, kill_after_s=5.0)


def names(handle, number):
    """The handlers that the host has said want the event of run *number*; ``None`` before that."""
    infos = handle.opened(number)
    return infos and [info.name.rpartition(":")[2] for info in infos]


async def test_the_first_handler_runs_without_another_order(start):
    pool = await start(quick, waits)
    async with host_of(pool, Kind.SHARED) as handle:
        assert (await begin(handle, 1)).outcome == Outcome.SUCCEEDED
        assert names(handle, 1) == ["quick", "waits"]
        assert (handle.attempts, handle.running) == (1, {})


async def test_a_plain_function_is_not_run_with_the_event_since_it_needs_a_host_of_its_own_kind(start):
    pool = await start(plain, quick)
    async with host_of(pool, Kind.SHARED) as handle:
        answer = await begin(handle, 1)
        assert isinstance(answer, Opened)
        assert not answer.started
        assert names(handle, 1) == ["plain", "quick"]
        assert handle.attempts == 0


async def test_a_first_handler_is_not_started_when_its_lease_has_too_little_left(start):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        with pytest.raises(LateStart):
            await begin(handle, 1, start_by=0.0)
        assert names(handle, 1) == ["waits"]
        assert handle.running == {}


async def test_an_end_of_the_host_is_the_first_handlers_once_it_is_known_to_run(start):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        beginning = asyncio.ensure_future(begin(handle, 1))
        await until(lambda: handle.running)
        pool.ended(handle, "SIGSEGV")
        with pytest.raises(HostGone, match="SIGSEGV") as gone:
            await beginning
        assert gone.value.outcome is Outcome.CRASHED
        assert names(handle, 1) == ["waits"]


async def test_an_end_of_the_host_before_it_has_named_the_handlers_is_nobody_elses(start):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        beginning = asyncio.ensure_future(begin(handle, 1))
        await asyncio.sleep(0)
        pool.ended(handle, "SIGSEGV")
        with pytest.raises(HostGone, match="SIGSEGV"):
            await beginning
        assert names(handle, 1) is None


@pytest.mark.parametrize("is_known", [False, True])
async def test_who_cancels_the_first_handler_can_wait_for_its_end(start, is_known):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        beginning = asyncio.ensure_future(begin(handle, 1))
        await (until(lambda: handle.running) if is_known else asyncio.sleep(0))
        beginning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beginning
        assert (await handle.cancel(1)).outcome == Outcome.INTERRUPTED
        assert handle.cancel(1) is None
        assert (await begin_quickly(handle)).outcome == Outcome.INTERRUPTED


async def begin_quickly(handle):
    """Begin another run and cancel it, to see that the host still answers."""
    beginning = asyncio.ensure_future(begin(handle, 2))
    await until(lambda: handle.running)
    ending = handle.cancel(2)
    assert ending is handle.running[2].done
    return await beginning


async def test_a_first_handler_that_does_not_end_when_cancelled_has_its_host_killed_even_before_it_is_named(
    start,
):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        own_body, body = pool._hosts[handle], SlowToDie()
        pool._hosts[handle] = body
        beginning = asyncio.create_task(begin(handle, 1))
        await asyncio.sleep(0)
        handle.give_up(1)
        await until(lambda: body.is_killed)
        assert not beginning.done()
        pool.ended(handle, "SIGKILL")
        with pytest.raises(HostGone) as gone:
            await beginning
    assert gone.value.outcome is Outcome.TIMED_OUT
    own_body.kill()


async def test_a_host_that_does_not_become_ready_is_told_of_and_killed_in_the_end(monkeypatch, caplog):
    """A bot's import can hang, say, on a connection."""
    monkeypatch.setattr("worker.hosts.starting.SLOW_START_S", 1)
    monkeypatch.setattr("worker.hosts.starting.GIVE_UP_START_S", 2)
    started = []

    def start(kind):
        handle = HostHandle(kind, capacity=1, listener=Unheard(), changed=lambda: None)
        started.append((handle, SlowToDie()))
        return started[-1]

    pool = HostPool(start, count=1)
    opening = asyncio.create_task(pool.open())
    await until(lambda: pool.fault)
    assert "importing" in pool.fault
    ((handle, body),) = started
    await until(lambda: body.is_killed)
    assert caplog.text.count("host does not become ready") == 2
    pool.ended(handle, "SIGKILL")
    with pytest.raises(BotUnusable):
        await opening


async def blocks(event, gl):
    time.sleep(0)  # noqa: ASYNC251 - what is shown


async def test_what_looks_wrong_in_a_bot_is_logged_once_for_all_its_hosts(start, caplog):
    pool = await start(blocks, count=2)
    await until(lambda: sum(handle.is_ready for handle in of_kind(pool, Kind.SHARED)) == 2)
    await until(lambda: "blocks the event loop" in caplog.text)
    assert caplog.text.count("blocks the event loop") == 1


async def test_an_attempt_that_blocks_the_loop_again_and_again_is_overdue_all_the_same(start):
    pool = await start(waits)
    async with host_of(pool, Kind.SHARED) as handle:
        running = [asyncio.ensure_future(run(handle, number, waits)) for number in (1, 2)]
        await until(lambda: len(handle.running) == 2)
        due = [each.due for each in handle.running.values()]
        for _ in range(3):
            handle.pinged_at = asyncio.get_running_loop().time() - 0.9  # it answered so late
            handle.receive(Blocked(run=1, handler="blocks", seconds=0.9))
            handle.receive(Pong(number=1))
        moved = [each.due - before for each, before in zip(handle.running.values(), due, strict=True)]
        assert moved[0] == pytest.approx(0.0, abs=0.1)
        assert moved[1] == pytest.approx(2.7, abs=0.1)
        for number in (1, 2):
            handle.cancel(number)
        await asyncio.gather(*running)
