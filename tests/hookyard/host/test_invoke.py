"""One attempt: what a handler does becomes its outcome."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from gidgetlab.sansio import Event

from hookyard import CurrentDelivery, current_delivery
from hookyard.host import entry
from hookyard.host.deadlines import Deadlines
from hookyard.host.invoke import Job, log_context, note_unawaited
from hookyard.host.registry import is_plain
from hookyard.host.retry import Limits
from hookyard.ledger.records import Outcome
from tests.fakes import until

EVENT = Event({}, event="Push Hook")


@pytest.fixture
def threads():
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def attempt(threads):
    """Gives a function that returns a job and the task in which it runs to its end."""

    def start(call, *, timeout_s=60.0, cell=None, blocked=lambda *_report: None):
        job = Job(
            call,
            run=7,
            is_plain=is_plain(call),
            timeout_s=timeout_s,
            current=CurrentDelivery(id="d-1", attempt=1, handler="bot:handler", received_ms=0),
            limits=Limits(max_attempts=8, backoff_s=5, max_backoff_s=60),
        )
        job.task = asyncio.ensure_future(
            job.finish(
                EVENT,
                object(),
                threads=threads,
                deadlines=Deadlines(),
                cell=[0] if cell is None else cell,
                blocked=blocked,
                jitter=1.0,
            )
        )
        return job, job.task

    return start


async def test_a_coroutine_and_a_plain_function_succeed_in_the_context_of_their_delivery(attempt):
    seen = []

    async def coroutine(event, gl):
        seen.append((current_delivery().id, threading.current_thread() is threading.main_thread()))

    def plain(event, gl):
        seen.append((current_delivery().id, threading.current_thread() is threading.main_thread()))

    for call in (coroutine, plain):
        _, ending = attempt(call)
        assert (await ending).outcome == Outcome.SUCCEEDED
    assert seen == [("d-1", True), ("d-1", False)]
    assert log_context() == {}


async def test_the_cell_says_which_run_has_the_loop(attempt):
    cell, seen = [0], []

    async def handler(event, gl):
        seen.append(cell[0])
        await asyncio.sleep(0)
        seen.append(cell[0])

    _, ending = attempt(handler, cell=cell)
    while not ending.done():
        assert cell == [0]
        await asyncio.sleep(0)
    assert seen == [7, 7]


async def test_what_the_supervisor_cancels_is_interrupted_and_what_ends_all_the_same_is_not(attempt):
    begun = []

    async def heeds(event, gl):
        begun.append(1)
        await asyncio.Event().wait()

    async def finishes(event, gl):
        try:
            await heeds(event, gl)
        except asyncio.CancelledError:
            return

    for number, (call, outcome) in enumerate(
        ((heeds, Outcome.INTERRUPTED), (finishes, Outcome.SUCCEEDED)), start=1
    ):
        job, ending = attempt(call)
        await until(lambda number=number: len(begun) == number)
        job.cancel()
        assert (await ending).outcome == outcome


async def test_what_is_too_late_is_timed_out_whatever_it_makes_of_that(attempt):
    async def returns(event, gl):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    async def raises(event, gl):
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while it was cancelled")

    async def within(event, gl):
        await asyncio.Event().wait()

    def around(event, gl):  # runs in a thread, and what it returns in the loop
        return within(event, gl)

    for call in (returns, raises, around):
        _, ending = attempt(call, timeout_s=0.05)
        ended = await ending
        assert (ended.outcome, ended.error) == (Outcome.TIMED_OUT, "it ran longer than 0.05 s")
        assert ended.again_s == 5


async def test_a_forgotten_await_fails_who_forgot_it_and_nobody_else(attempt):
    class Node:
        """Holds itself."""

    async def never():
        raise AssertionError

    async def forgets(event, gl):
        never()

    def forgets_in_a_thread(event, gl):
        never()

    async def leaves_it_in_a_cycle(event, gl):
        node = Node()
        node.itself, node.coroutine = node, never()

    async def collects(event, gl):
        gc.collect()

    with warnings.catch_warnings(record=True) as warned:
        entry._charge_missing_awaits()
        for call in (forgets, forgets_in_a_thread):
            ended = await attempt(call)[1]
            assert (ended.outcome, ended.again_s) == (Outcome.FAILED, None)
            assert "an await is missing: coroutine" in ended.error
        for call in (leaves_it_in_a_cycle, collects):
            assert (await attempt(call)[1]).outcome == Outcome.SUCCEEDED
    assert len(warned) == 3
    assert not note_unawaited("something")  # outside of a handler


async def test_a_handler_that_blocks_the_loop_is_reported(attempt):
    release, reports = threading.Event(), []

    async def blocks(event, gl):
        release.wait(0.3)

    ended = await attempt(blocks, blocked=lambda *report: reports.append(report))[1]
    assert ended.outcome == Outcome.SUCCEEDED
    ((run, handler, seconds),) = reports
    assert (run, handler) == (7, "bot:handler")
    assert seconds >= 0.25
