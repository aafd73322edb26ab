"""One host as its supervisor sees it: what it was given, what runs in it, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from hookyard.host.deadlines import BLOCKED_S
from hookyard.host.messages import (
    VERSION,
    Blocked,
    Called,
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
    Unusable,
)
from hookyard.ledger.records import Outcome
from hookyard.telemetry import logs
from worker.hosts.gone import HostGone, LateStart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hookyard.host.link import Link
    from hookyard.host.messages import HandlerInfo, Report, ScheduleInfo

log = logs.get_logger("worker")


class Kind(StrEnum):
    """What a host is for. A plain ``def`` cannot be cancelled, so it runs apart from coroutines."""

    SHARED = "shared"
    PLAIN = "plain"
    ALONE = "alone"


class BotUnusable(Exception):
    """The bot cannot be imported or its handlers cannot be run; the text says what to change.

    ``may_pass``: it is worth trying again without a change.
    """

    def __init__(self, text: str, *, may_pass: bool = False) -> None:
        super().__init__(text)
        self.may_pass = may_pass


class Listener(Protocol):
    """Hears what a host reports besides its answers."""

    def called(self, called: Called) -> None:
        """Hear of a REST call."""

    def blocked(self, blocked: Blocked) -> None:
        """Hear of a handler that kept the host's loop."""


@dataclass(slots=True)
class Running:
    """An attempt in a host. ``due`` is when it is overdue for good, on the loop's clock.

    ``blocked_s``: for how long it kept the host's loop since the host was last asked for a sign of life.
    """

    handler: str
    due: float
    done: asyncio.Future[Ended]
    blocked_s: float = 0.0


@dataclass(slots=True)
class _Opening:
    """A run whose event is being rebuilt. ``timeout_s`` and ``kill_after_s`` are its first handler's."""

    answer: asyncio.Future[Any]
    timeout_s: float = 0.0
    kill_after_s: float = 0.0


class HostHandle:
    """What a supervisor asks of one host.

    ``killed_for``: once it is being killed, the runs for whose sake; empty when nobody knows which it was.

    :param capacity: attempts that may run in it at once.
    :param changed: called when it became ready or room was made.
    """

    def __init__(self, kind: Kind, *, capacity: int, listener: Listener, changed: Callable[[], None]) -> None:
        self.kind = kind
        self.capacity = capacity
        self.running: dict[int, Running] = {}
        self.attempts = 0
        self.reserved = 0
        self.idle_since = asyncio.get_running_loop().time()
        self.is_ready = False
        self.is_retiring = False
        self.has_successor = False
        self.is_gone = False
        self.killed_for: set[int] | None = None
        self.infos: tuple[HandlerInfo, ...] = ()
        self.schedules: tuple[ScheduleInfo, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.events: tuple[str, ...] = ()
        self.has_lines = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pinged_at: float | None = None
        self._opening: dict[int, _Opening] = {}
        self._opened: dict[int, tuple[HandlerInfo, ...]] = {}
        self._listener = listener
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._pings = 0
        self._link: Link | None = None

    def connect(self, link: Link) -> None:
        """Send orders over *link* from now on."""
        self._link = link

    @property
    def is_usable(self) -> bool:
        """Whether it is ready and stays."""
        return self.is_ready and not self.is_retiring and not self.is_gone

    @property
    def takes_more(self) -> bool:
        """Whether another attempt may be given to it."""
        return self.is_usable and self.load < self.capacity

    @property
    def load(self) -> int:
        """How much it has to do."""
        return max(len(self.running), self.reserved)

    # --- orders ---------------------------------------------------------------------------------

    async def open(self, order: Open) -> tuple[tuple[HandlerInfo, ...], str | None]:
        """Have the host rebuild an event; return its handlers, or why the event cannot be rebuilt.

        :raises HostGone: when it ended over it, or before.
        """
        opening = self._opening[order.run] = _Opening(self._loop.create_future())
        self._send(order)
        try:
            opened: Opened = await opening.answer
        except asyncio.CancelledError:
            self._opening.pop(order.run, None)
            with contextlib.suppress(HostGone):
                self._send(Close(run=order.run))
            raise
        return self._opened.get(order.run, ()), opened.error

    async def begin(self, order: Open, *, timeout_s: float, kill_after_s: float) -> Ended | Opened:
        """Have the host rebuild an event and run its first handler.

        :param order: with the time by which to start.
        :param timeout_s: for a handler that has no time-out of its own.
        :returns: how the handler ended; or, when there is none to start so, what :meth:`open` goes by.
        :raises HostGone: as :meth:`invoke`; then :meth:`opened` says whether it had come to the handler.
        :raises LateStart: when it was too late to start it.
        """
        run = order.run
        done = self._loop.create_future()
        self._opening[run] = _Opening(done, timeout_s, kill_after_s)
        self._send(order)
        try:
            answer: Ended | Opened = await done
        except asyncio.CancelledError:
            self._wait_on(run)
            raise
        self._changed()
        return answer

    def opened(self, run: int) -> tuple[HandlerInfo, ...] | None:
        """Return the handlers that want this run's event; ``None`` where it was not given it."""
        return self._opened.get(run)

    async def invoke(
        self,
        run: int,
        handler: str,
        occurrence: int,
        *,
        attempt: int,
        start_by: float,
        timeout_s: float,
        kill_after_s: float,
    ) -> Ended:
        """Run a handler of an opened run.

        :param occurrence: which of the run's handlers of this name, from 0.
        :param kill_after_s: how long after *timeout_s* it may take to end.
        :raises HostGone: when the host ended meanwhile.
        :raises LateStart: when it was too late to start it.
        :raises LookupError: when the host's bot has no such handler for this event.
        """
        places = [place for place, info in enumerate(self._opened[run]) if info.name == handler]
        if occurrence >= len(places):
            raise LookupError(handler)
        done: asyncio.Future[Ended] = self._loop.create_future()
        self.running[run] = Running(
            handler=handler,
            due=self._loop.time() + timeout_s + kill_after_s,
            done=done,
        )
        self.attempts += 1
        self._send(Invoke(run=run, place=places[occurrence], attempt=attempt, start_by=start_by))
        try:
            return await done
        except asyncio.CancelledError:
            self._wait_on(run)
            raise
        finally:
            if done.done():
                self._changed()

    def cancel(self, run: int) -> asyncio.Future[Ended] | None:
        """Cancel what runs for *run*; return its end, ``None`` when nothing does."""
        running, opening = self.running.get(run), self._opening.get(run)
        if running is None and opening is None:
            return None
        self._send(Cancel(run=run))
        return running.done if running else opening.answer if opening else None

    def give_up(self, run: int) -> None:
        """Count what runs for *run* as overdue: the host is replaced, and killed when that harms nobody."""
        opening = self._opening.pop(run, None)
        if opening is not None:  # it was not heard of the handler yet that it has started, or will
            self.running[run] = Running(handler="", due=0.0, done=opening.answer)
        if run in self.running:
            self.running[run].due = self._loop.time()

    def close_run(self, run: int) -> None:
        """Have the host forget a run."""
        if self._opened.pop(run, None) is not None:
            self._send(Close(run=run))

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._pings += 1
        self.pinged_at = self._loop.time()
        self._send(Ping(number=self._pings))

    def stop(self) -> None:
        """Have it end; nothing may run in it."""
        self.is_retiring = True
        self._send(Stop())

    def _wait_on(self, run: int) -> None:
        """Go on waiting for a run whose waiter was cancelled: whoever cancels it waits for its end."""
        for waiting in (self.running.get(run), self._opening.get(run)):
            if isinstance(waiting, Running):
                waiting.done = self._loop.create_future()
            elif waiting is not None:
                waiting.answer = self._loop.create_future()

    def _send(self, order: Any) -> None:
        if self.is_gone or self._link is None:
            raise HostGone("the host has ended")
        self._link.send(order)

    # --- reports --------------------------------------------------------------------------------

    def receive(self, report: Report) -> None:
        """Take in a report of the host's."""
        if isinstance(report, Ended):
            self._end(report.run, report)
        elif isinstance(report, Opened):
            self._open_up(report)
        elif isinstance(report, NotStarted):
            running = self.running.pop(report.run, None)
            if running is not None and not running.done.done():
                running.done.set_exception(LateStart())
        elif isinstance(report, Called):
            self._listener.called(report)
        elif isinstance(report, Blocked):
            self._note_block(report)
        elif isinstance(report, Pong):
            self._answered()
        elif isinstance(report, Ready):
            self._begin(report)
        elif isinstance(report, Unusable):
            _fail(self.ready, BotUnusable("\n".join(report.faults), may_pass=report.may_pass))

    def _begin(self, report: Ready) -> None:
        if report.version != VERSION:
            _fail(self.ready, BotUnusable("the installed Hookyard was replaced; restart this worker"))
            return
        self.infos = report.handlers
        self.schedules, self.events = report.schedules, report.events
        self.warnings = report.warnings
        self.has_lines = any(info.gate and (info.gate.has_key or info.gate.most) for info in self.infos)
        self.is_ready = True
        _resolve(self.ready, None)
        self._changed()

    def _open_up(self, report: Opened) -> None:
        opening = self._opening.pop(report.run, None)
        if opening is None:
            return  # whoever wanted it has gone
        infos = tuple(self.infos[place] for place in report.handlers)
        if report.keys:
            infos = tuple(
                msgspec.structs.replace(info, key=key, key_fault=fault)
                for info, (key, fault) in zip(infos, report.keys, strict=True)
            )
        if report.error is None:
            self._opened[report.run] = infos
        if not report.started:
            _resolve(opening.answer, report)
            return
        self.attempts += 1
        due_in_s = (infos[0].timeout_s or opening.timeout_s) + opening.kill_after_s
        self.running[report.run] = Running(
            handler=infos[0].name, due=self._loop.time() + due_in_s, done=opening.answer
        )

    def _end(self, run: int, ended: Ended) -> None:
        running = self.running.pop(run, None)
        self.idle_since = self._loop.time()
        if running is not None:
            _resolve(running.done, ended)

    def _note_block(self, report: Blocked) -> None:
        if report.run in self.running:
            self.running[report.run].blocked_s += report.seconds
        self._listener.blocked(report)

    def _answered(self) -> None:
        """Take the time for which the host did not answer off what the attempts in it were given.

        Not off what held it up itself: who blocks the loop again and again would never be overdue.
        """
        held_up_s = 0.0 if self.pinged_at is None else self._loop.time() - self.pinged_at
        for running in self.running.values():
            if held_up_s > BLOCKED_S:
                running.due += max(0.0, held_up_s - running.blocked_s)
            running.blocked_s = 0.0
        self.pinged_at = None

    # --- its end --------------------------------------------------------------------------------

    def gone(self, how: str, *, overdue: Iterable[int] | None = None, ordered: bool = False) -> None:
        """Give up what was in it.

        :param overdue: the runs for whose sake it was killed; empty when nobody knows which it was.
        :param ordered: it was stopped, and what was in it is not to blame.
        """
        if self.is_gone:
            return
        self.is_gone = True
        running, self.running = self.running, {}
        opening, self._opening = self._opening, {}
        blamed = set(overdue or ())
        is_alone = len(running) + len(opening) == 1
        for run, each in running.items():
            if overdue is not None:
                timed_out = run in blamed
                outcome = Outcome.TIMED_OUT if timed_out else Outcome.INTERRUPTED
                error = HostGone(how, outcome=outcome, alone=not blamed)
            elif ordered:
                error = HostGone(how)
            else:
                outcome = Outcome.CRASHED if is_alone else Outcome.INTERRUPTED
                error = HostGone(how, outcome=outcome, alone=True)
            _fail(each.done, error)
        for each_opening in opening.values():
            crashed = is_alone and not ordered and overdue is None
            outcome = Outcome.CRASHED if crashed else Outcome.INTERRUPTED
            _fail(each_opening.answer, HostGone(how, outcome=outcome, alone=not ordered and not blamed))
        _fail(self.ready, BotUnusable(f"the host ended while it started: {how}"))
        self._changed()


def _resolve(future: asyncio.Future[Any] | None, value: Any) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waited may have gone; then there is nobody to be told
