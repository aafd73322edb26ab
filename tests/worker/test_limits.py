"""What a policy limits in the whole fleet of three workers: turns, the newest only, rates, loops."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from gidgetlab.routing import Router

from hookyard import RetryAfter, policy
from hookyard.ledger.gates import Tripped, lift, tripped
from hookyard.ledger.records import Outcome, State
from tests.fakes import a_delivery, until

DONE = {State.SUCCEEDED, State.FAILED, State.IGNORED}


class Log:
    """What handlers did: ``(what, id)`` in order, and how many ran at once at most."""

    def __init__(self):
        self.lines = []
        self.most = 0
        self._now = 0

    async def run(self, event, seconds=0.01):
        self._now += 1
        self.most = max(self.most, self._now)
        self.lines.append((time.monotonic(), event.data["n"]))
        await asyncio.sleep(seconds)
        self._now -= 1

    @property
    def order(self):
        return [n for _, n in self.lines]


@pytest.fixture
def fleet(start_worker):
    """Gives a coroutine function that starts three workers with a router."""

    async def start(router, **given):
        for _ in range(3):
            await start_worker(router, **given)

    return start


@pytest.fixture
def accept(ledger):
    """Gives a coroutine function that accepts deliveries of one object, a millisecond apart, in order."""
    clock = itertools.count(time.time_ns() // 1_000_000 - 100_000)

    async def send(*numbers, key="group/app", **changed):
        for n in numbers:
            data = {"n": n, "object_kind": "push", "project": {"path_with_namespace": key}}
            given = {"received_ms": next(clock), "data": data, "project": key, **changed}
            await ledger.accept(a_delivery(f"d-{n}", **given))

    return send


@pytest.fixture
def ended(listing):
    """Gives a coroutine function that waits until deliveries have ended, and returns their records."""

    async def look(numbers):
        found = [await listing.get(f"d-{n}") for n in numbers]
        return found if all(record and record.state in DONE for record in found) else None

    async def wait(*numbers):
        return await until(lambda: look(numbers))

    return wait


def outcomes(record):
    return [attempt.outcome for run in record.history for attempt in run.attempts]


async def test_one_at_a_time_for_a_key_in_order_of_receipt(fleet, accept, ended):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(key="{project}")
    async def push(event, gl):
        await log.run(event)

    await fleet(router)
    await accept(*range(20))
    records = await ended(*range(20))
    assert log.order == list(range(20))
    assert log.most == 1
    assert {tuple(outcomes(record)) for record in records} == {(Outcome.SUCCEEDED,)}


async def test_keys_do_not_wait_for_each_other(fleet, accept, ended):
    router, log, both = Router(), Log(), asyncio.Event()

    @router.register("Push Hook")
    @policy(key=lambda event: event.data["project"]["path_with_namespace"])
    async def push(event, gl):
        if log.order:
            both.set()
        await log.run(event)
        await both.wait()

    await fleet(router)
    await accept(0, key="group/a")
    await accept(1, key="group/b")
    await ended(0, 1)
    assert sorted(log.order) == [0, 1]


@pytest.mark.parametrize(("ordered", "order"), [(None, [0, 1, 2, 0]), ("strict", [0, 0, 1, 2])])
async def test_a_failing_head_holds_up_the_rest_only_where_it_is_strict(fleet, accept, ended, ordered, order):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(key="{project}", ordered=ordered)
    async def push(event, gl):
        await log.run(event)
        if event.data["n"] == 0 and log.order.count(0) == 1:
            raise RetryAfter(1)

    await fleet(router)
    await accept(0, 1, 2)
    await ended(0, 1, 2)
    assert log.order == order


async def test_so_many_at_once_of_a_handler(fleet, accept, ended):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(concurrency=2)
    async def push(event, gl):
        await log.run(event, 0.02)

    await fleet(router)
    await accept(*range(12))
    await ended(*range(12))
    assert log.most == 2


async def test_of_many_that_wait_only_the_newest_runs(fleet, accept, ended):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(key="{project}", latest=True, debounce=0.3)
    async def push(event, gl):
        await log.run(event, 0.1)

    await fleet(router)
    now_ms = time.time_ns() // 1_000_000
    for n in range(50):
        await accept(n, received_ms=now_ms + n)
    records = await ended(*range(50))
    assert log.order[-1] == 49
    assert len(log.order) <= 3
    assert log.most == 1
    superseded = [record for record in records if outcomes(record) == [Outcome.SUPERSEDED]]
    assert len(superseded) == 50 - len(log.order)
    assert {record.state for record in superseded} == {State.IGNORED}


async def test_what_was_superseded_can_be_replayed(fleet, accept, ended, ledger):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(key="{project}", latest=True, debounce=0.2)
    async def push(event, gl):
        await log.run(event)

    await fleet(router)
    now_ms = time.time_ns() // 1_000_000
    await accept(0, received_ms=now_ms)
    await accept(1, received_ms=now_ms + 1)
    await ended(0, 1)
    await ledger.replay(["d-0"], what="all", now_ms=now_ms)
    await until(lambda: log.order == [1, 0])


async def test_starts_of_a_handler_are_spread_over_the_fleet(fleet, accept, ended):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(rate="5/second")
    async def push(event, gl):
        await log.run(event, 0)

    await fleet(router)
    await accept(*range(15))
    records = await ended(*range(15))
    starts = [at for at, _ in log.lines]
    # by Redis's clock they are a second apart; between that and the handler lies the way to it
    assert all(later - earlier > 0.8 for earlier, later in zip(starts, starts[5:], strict=False))
    assert {tuple(outcomes(record)) for record in records} == {(Outcome.SUCCEEDED,)}


async def test_a_grace_before_the_first_attempt(fleet, accept, ended, listing):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(delay=0.5)
    async def push(event, gl):
        await log.run(event)

    await fleet(router)
    since = time.monotonic()
    await accept(0, received_ms=time.time_ns() // 1_000_000)

    async def waits():
        return (await listing.get("d-0")).state is State.WAITING

    await until(waits)
    await ended(0)
    assert log.lines[0][0] - since > 0.45


async def test_a_loop_is_broken_until_an_operator_lifts_that(fleet, accept, ended, client, ledger):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(chain="3/minute")
    async def push(event, gl):
        await log.run(event)

    await fleet(router)
    for n in range(5):
        await accept(n, object="!1")
        await ended(n)
    await accept(5, object="!2")
    records = await ended(*range(6))
    assert [record.state for record in records] == [State.SUCCEEDED] * 3 + [State.FAILED] * 2 + [
        State.SUCCEEDED
    ]
    assert "looks like a loop" in records[3].error
    (loop,) = await tripped(client, ledger.keys)
    assert (loop.handler.rpartition(".")[2], loop.object) == ("push", "group/app!1")
    assert await lift(client, ledger.keys, Tripped(loop.handler, loop.object))
    await ledger.replay(["d-3"], what="all", now_ms=1)

    async def succeeded():
        return log.order.count(3) == 1

    await until(succeeded)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (lambda event: event.data["nothing"], "its key function failed: KeyError"),
        (lambda event: None, "its key function returned NoneType, not a text"),
        ("{project}!{iid}", "cannot be made: this event has no iid"),
    ],
)
async def test_a_key_that_cannot_be_made_fails_its_handler_alone(fleet, accept, ended, key, text):
    router, log = Router(), Log()

    @router.register("Push Hook")
    @policy(key=key)
    async def keyed(event, gl):
        await log.run(event)

    @router.register("Push Hook")
    async def plain(event, gl):
        await log.run(event)

    await fleet(router)
    await accept(0)
    (record,) = await ended(0)
    assert outcomes(record) == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert text in record.error
