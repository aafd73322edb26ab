"""A host over a real socket pair: the reports that follow from its supervisor's orders."""

from __future__ import annotations

import asyncio
import socket

import pytest
from gidgetlab.routing import Router

from hookyard.host.clock import boot_s
from hookyard.host.host import Host
from hookyard.host.link import connect
from hookyard.host.messages import (
    VERSION,
    Cancel,
    Close,
    Ended,
    Invoke,
    NotStarted,
    Open,
    Opened,
    Ping,
    Pong,
    Ready,
    Stop,
    read_orders,
    read_reports,
)
from hookyard.ledger.records import Outcome
from tests.fakes import until

FOR_EVER = 2.0**40


class Supervisor:
    """The other end of a host's link."""

    def __init__(self, host):
        self.host = host
        self.reports = []

    async def connect(self):
        ours, theirs = socket.socketpair()
        self.link = await connect(
            ours, read_reports, receive=self.reports.append, closed=lambda: self.reports.append(None)
        )
        self.of_host = await connect(
            theirs, read_orders, receive=self.host.receive, closed=self.host.stopped.set
        )
        self.host.connect(self.of_host)

    async def ask(self, *orders):
        """Send orders, and return the first report that follows."""
        self.reports.clear()
        for order in orders:
            self.link.send(order)
        await until(lambda: self.reports)
        return self.reports[0]


@pytest.fixture
async def supervise(make_settings):
    started = []

    async def start(*calls):
        router = Router()
        for call in calls:
            router.add(call, "Push Hook")
        supervisor = Supervisor(Host(router, make_settings()))
        started.append(supervisor)
        await supervisor.connect()
        await until(lambda: supervisor.reports)
        return supervisor

    yield start
    for supervisor in started:
        supervisor.link.close()
        await supervisor.host.stopped.wait()
        await supervisor.host.close()


def opening(run, **changed):
    facts = {
        "delivery_id": f"d-{run}",
        "event": "Push Hook",
        "content_type": "application/json",
        "body": b'{"object_kind": "push"}',
        "received_ms": 0,
        "event_uuid": None,
    }
    return Open(run=run, **{**facts, **changed})


def invoking(run, place=0, start_by=FOR_EVER):
    return Invoke(run=run, place=place, attempt=1, start_by=start_by)


async def first(event, gl):
    """Succeed."""


def second(event, gl):
    raise ValueError("no")


async def waits(event, gl):
    await asyncio.Event().wait()


async def test_handlers_are_found_and_run_by_their_place(supervise):
    supervisor = await supervise(first, second)
    (ready,) = supervisor.reports
    assert (ready.version, [info.is_plain for info in ready.handlers]) == (VERSION, [False, True])
    assert isinstance(ready, Ready)
    assert await supervisor.ask(opening(5)) == Opened(run=5, handlers=(0, 1))
    ended = await supervisor.ask(invoking(5))
    assert (ended.run, ended.outcome) == (5, Outcome.SUCCEEDED)
    ended = await supervisor.ask(invoking(5, place=1))
    assert (ended.outcome, ended.error) == (Outcome.FAILED, "ValueError: no")
    assert await supervisor.ask(Close(run=5), Ping(number=3)) == Pong(number=3)


async def test_what_is_ordered_in_one_turn_is_done_in_order(supervise):
    supervisor = await supervise(first)
    orders = [order for run in range(1, 101) for order in (opening(run), invoking(run))]
    await supervisor.ask(*orders)
    await until(lambda: len(supervisor.reports) == 200)
    for run in range(1, 101):
        kinds = [type(report) for report in supervisor.reports if report.run == run]
        assert kinds == [Opened, Ended]


async def test_a_handler_does_not_start_after_the_time_for_that(supervise):
    supervisor = await supervise(first)
    assert await supervisor.ask(opening(1)) == Opened(run=1, handlers=(0,))
    assert await supervisor.ask(invoking(1, start_by=boot_s() - 1)) == NotStarted(run=1)


async def test_a_handler_that_is_cancelled_is_interrupted_and_what_does_not_run_is_not(supervise):
    supervisor = await supervise(waits)
    await supervisor.ask(opening(1))
    ended = await supervisor.ask(Cancel(run=1), Cancel(run=99), invoking(1), Cancel(run=1))
    assert (ended.run, ended.outcome) == (1, Outcome.INTERRUPTED)


async def test_an_event_that_cannot_be_rebuilt_is_said_with_a_text_that_can_be_sent(supervise):
    supervisor = await supervise(first)
    opened = await supervisor.ask(opening(1, body=b"{nonsense\xff"))
    assert opened.handlers == ()
    assert opened.error.startswith("the event could not be rebuilt: ")


async def test_a_host_ends_when_it_is_told_to_and_when_its_supervisor_is_gone(supervise):
    told, left = await supervise(waits), await supervise(waits)
    for supervisor in (told, left):
        await supervisor.ask(opening(1))
        supervisor.link.send(invoking(1))
    told.link.send(Stop())
    left.link.close()
    await told.host.stopped.wait()
    await left.host.stopped.wait()
