"""A delivery in the hosts of its worker: have its event opened, and each handler run to its own end.

What a host does, or has done to it, becomes the outcome of the attempt that is to blame; the others are
interrupted, and run again without counting.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from hookyard.host.messages import Ended, HandlerInfo, Open, Opened
from hookyard.host.retry import Again, Limits, Stop, again_after
from hookyard.ledger.fingerprints import fingerprint
from hookyard.ledger.records import FAILURES, Attempt, Outcome, one_line
from hookyard.telemetry import logs
from worker.hosts.gone import HostGone, LateStart
from worker.hosts.handle import Kind
from worker.metrics import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from hookyard.host.messages import FollowUp
    from worker.hosts.handle import HostHandle
    from worker.run_context import RunContext

log = logs.get_logger("worker")

KILL_AFTER_S: Final = 5.0
"""A coroutine that was cancelled at its time-out may take this long to end; then its host is killed."""

KILL_PLAIN_AFTER_S: Final = 0.25
"""The same for a plain function, which cannot be cancelled: there is nothing to wait for."""

CANCEL_S: Final = 5.0
"""A handler that is cancelled because its worker stops, or has lost the lease, may take this long to end."""

WAIT_AT_MOST_S: Final = 7 * 86_400.0
"""A handler may ask to be run later for so long in all, where its policy does not say."""

LEAST_WAIT_S: Final = 0.05
"""So little is left of a wait only by what clocks are apart."""

_KILL_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of the handlers of an event. ``occurrence`` counts those of one function, from 0."""

    info: HandlerInfo
    occurrence: int

    @property
    def name(self) -> str:
        """What its outcomes are recorded under."""
        return f"{self.info.name}#{self.occurrence + 1}" if self.occurrence else self.info.name


@dataclass(frozen=True, slots=True)
class _Begun:
    """The first handler of a run, which was started with it: since when, and how it ended."""

    started_ms: int
    since: float
    end: Ended | HostGone

    def result(self) -> Ended:
        """Return its end, or raise."""
        if isinstance(self.end, HostGone):
            raise self.end
        return self.end


class InHosts:
    """One delivery, as the hosts of a worker run it."""

    def __init__(self, context: RunContext, order: Open) -> None:
        self._context = context
        self._order = order
        self._begun: _Begun | None = None
        self.enqueued: tuple[FollowUp, ...] = ()

    def close(self) -> None:
        """Have the hosts forget it."""
        self._context.pool.close_run(self._order.run)

    async def open(self) -> tuple[list[Wanted], str | None]:
        """Have a host rebuild the event; return the handlers it has, or why it cannot be rebuilt.

        Where the order says by when the first handler may start, that has run by then, if it is a coroutine;
        :meth:`attempt` knows of it.
        """
        pool, kind, crashes = self._context.pool, Kind.SHARED, 0
        while True:
            try:
                if self._order.start_by is not None:
                    found, error = await self._begin()
                    return list(_named(found)), error
                host = pool.try_acquire(kind) or await pool.acquire(kind)
                try:
                    found, error = await host.open(self._order)
                finally:
                    pool.release(host)
                return list(_named(found)), error
            except HostGone as gone:
                if gone.outcome is Outcome.CRASHED:
                    self._log_crash(gone)
                    crashes += 1  # at first it may have been something else that ended the host
                    if crashes >= self._context.settings.max_crashes:
                        text = f"its host crashed {crashes} times ({gone})"
                        return [], f"the event could not be rebuilt: {text}"
                kind = Kind.ALONE if gone.alone else kind

    async def _begin(self) -> tuple[tuple[HandlerInfo, ...], str | None]:
        """Open, and run the first handler of an event that no handler has run for yet.

        :raises HostGone: before it was heard that it came to the handler; interrupted, since either may have
            ended the host.
        """
        context, order = self._context, self._order
        self._order = msgspec.structs.replace(order, start_by=None)  # this is done once
        host = context.pool.try_acquire(Kind.SHARED) or await context.pool.acquire(Kind.SHARED)
        started_ms, since = context.redis_now_ms(), time.perf_counter()
        try:
            end: Ended | Opened | HostGone = await host.begin(
                order, timeout_s=context.settings.handler_timeout_s, kill_after_s=KILL_AFTER_S
            )
        except LateStart:
            return host.opened(order.run) or (), None
        except HostGone as gone:
            if not host.opened(order.run):
                if gone.outcome is Outcome.CRASHED:
                    self._log_crash(gone)
                raise HostGone(str(gone), alone=gone.alone) from gone
            end = gone
        except asyncio.CancelledError:
            ended = await _stopped(host, order.run)
            if ended is None or ended.outcome == Outcome.INTERRUPTED:
                for info in host.opened(order.run) or ():
                    context.metrics.handler(info.name).ran(CUT_OFF, time.perf_counter() - since)
                    break
                raise
            end = ended
        finally:
            context.pool.release(host)
        if isinstance(end, Opened):
            return host.opened(order.run) or (), end.error
        self._begun = _Begun(started_ms, since, end)
        return host.opened(order.run) or (), None

    def _log_crash(self, gone: HostGone) -> None:
        log.error(
            "host crashed while it rebuilt the event", delivery_id=self._order.delivery_id, how=str(gone)
        )

    async def attempt(
        self,
        wanted: Wanted,
        number: int,
        *,
        crashes: int,
        make_sure: Callable[[], Awaitable[float]],
        admit: Callable[[], Awaitable[None]] | None,
        waiting_since_ms: int | None,
        interrupted: Callable[[Attempt], None],
    ) -> Attempt:
        """Run one handler until that has ended by itself or by its own fault.

        :param crashes: how many attempts of this round have ended with their host; then it runs alone.
        :param make_sure: returns the latest time at which the handler may start, or raises.
        :param admit: returns when its policy lets it start, or raises.
        :param waiting_since_ms: since when it has been asking to be run later, if it has.
        :param interrupted: gets each attempt that was cut off by the fault of another.
        """
        context, name = self._context, wanted.name
        begun, self._begun = self._begun, None
        started_ms, since = (
            (begun.started_ms, begun.since) if begun else (context.redis_now_ms(), time.perf_counter())
        )
        counted, began, alone = context.metrics.handler(name), since, crashes > 0
        while True:
            try:
                if begun is not None:
                    ended = begun.result()
                else:
                    start_by = await make_sure()  # the last thing before it starts
                    if admit is not None:
                        await admit()
                    started_ms, since = context.redis_now_ms(), time.perf_counter()
                    kind = Kind.ALONE if alone else Kind.PLAIN if wanted.info.is_plain else Kind.SHARED
                    ended = await self._invoke(wanted, kind, number, start_by)
            except LateStart:
                continue
            except LookupError:
                ended = handler_is_gone(name)
            except HostGone as gone:
                if gone.outcome is Outcome.INTERRUPTED:
                    alone = alone or gone.alone
                    log.warning(
                        "handler interrupted",
                        delivery_id=self._order.delivery_id,
                        handler=name,
                        attempt=number,
                        why=str(gone),
                        next="runs again, alone" if alone else "runs again",
                    )
                    cut_off = Ended(
                        run=0, outcome=gone.outcome, took_ms=_ms(since), again_s=0.0, error=str(gone)
                    )
                    interrupted(self._attempt_of(wanted, number, started_ms, cut_off, crashes=crashes))
                    begun = None
                    continue
                ended = self._blame(wanted, gone, number, crashes=crashes, took_ms=_ms(since))
            except asyncio.CancelledError:
                counted.ran(CUT_OFF, time.perf_counter() - began)
                raise
            ended, waiting_since_ms = self._bounded(wanted, ended, waiting_since_ms)
            self.enqueued = ended.enqueued
            attempt = self._attempt_of(
                wanted, number, started_ms, ended, crashes=crashes, waiting_since_ms=waiting_since_ms
            )
            given_up = attempt.final and attempt.outcome is not Outcome.SUCCEEDED
            counted.ran(attempt.outcome, time.perf_counter() - began, given_up=given_up)
            return attempt

    async def _invoke(self, wanted: Wanted, kind: Kind, number: int, start_by: float) -> Ended:
        pool = self._context.pool
        host = pool.try_acquire(kind) or await pool.acquire(kind)
        try:
            if host.opened(self._order.run) is None:
                _, error = await host.open(self._order)
                if error is not None:
                    return Ended(run=self._order.run, outcome=Outcome.FAILED, took_ms=0, error=error)
            return await host.invoke(
                self._order.run,
                wanted.info.name,
                wanted.occurrence,
                attempt=number,
                start_by=start_by,
                timeout_s=wanted.info.timeout_s or self._context.settings.handler_timeout_s,
                kill_after_s=KILL_PLAIN_AFTER_S if wanted.info.is_plain else KILL_AFTER_S,
            )
        except asyncio.CancelledError:
            ended = await _stopped(host, self._order.run)
            if ended is None or ended.outcome == Outcome.INTERRUPTED:
                raise
            return ended  # it had ended by then; the cancellation comes again where it can be heeded
        finally:
            pool.release(host)

    def _blame(self, wanted: Wanted, gone: HostGone, number: int, *, crashes: int, took_ms: int) -> Ended:
        """Return the outcome of an attempt that ended its host, or had to be ended with it."""
        settings, info = self._context.settings, wanted.info
        limits = Limits(
            max_attempts=settings.max_attempts if info.max_attempts is None else info.max_attempts,
            backoff_s=settings.backoff_s if info.backoff_s is None else info.backoff_s,
            max_backoff_s=settings.max_backoff_s,
        )
        decision = again_after(number, limits=limits, jitter=random.random())  # noqa: S311 - spreads retries
        if gone.outcome is Outcome.CRASHED:
            if crashes + 1 >= settings.max_crashes:
                decision = Stop(because=f"it crashed {crashes + 1} times")
            text = f"it crashed its host while it ran alone ({gone})"
        else:
            timeout_s = info.timeout_s or settings.handler_timeout_s
            text = f"it ran longer than {timeout_s:g} s and did not end; its host was killed"
        log.error(
            "handler crashed" if gone.outcome is Outcome.CRASHED else "handler timed out and was killed",
            delivery_id=self._order.delivery_id,
            handler=wanted.name,
            attempt=number,
            how=str(gone),
            next_attempt_in_s=round(decision.delay_s, 3) if isinstance(decision, Again) else None,
            given_up=decision.because if isinstance(decision, Stop) else None,
        )
        return Ended(
            run=self._order.run,
            outcome=gone.outcome,
            took_ms=took_ms,
            again_s=decision.delay_s if isinstance(decision, Again) else None,
            error=one_line(f"{text} ({decision.because})" if isinstance(decision, Stop) else text),
        )

    def _attempt_of(
        self,
        wanted: Wanted,
        number: int,
        started_ms: int,
        ended: Ended,
        *,
        crashes: int,
        waiting_since_ms: int | None = None,
    ) -> Attempt:
        again_s = ended.again_s
        return Attempt(
            handler=wanted.name,
            outcome=Outcome(ended.outcome),
            number=number,
            started_ms=started_ms,
            took_ms=ended.took_ms,
            final=again_s is None,
            due_ms=None if again_s is None else self._context.redis_now_ms() + round(again_s * 1000),
            error=ended.error,
            traceback=ended.traceback,
            crashes=crashes + (ended.outcome == Outcome.CRASHED),
            fingerprint=fingerprint(wanted.name, ended.error, ended.traceback)
            if ended.outcome in FAILURES
            else None,
            waiting_since_ms=waiting_since_ms,
            wake_on=ended.wake_on,
            result=ended.result,
        )

    def _bounded(self, wanted: Wanted, ended: Ended, since_ms: int | None) -> tuple[Ended, int | None]:
        """Return how an attempt ended, and since when it waits, which it may for so long only."""
        if ended.outcome != Outcome.WAITING:
            return ended, None
        now_ms = self._context.redis_now_ms()
        since_ms = now_ms if since_ms is None else since_ms
        at_most_s = wanted.info.wait_at_most_s or WAIT_AT_MOST_S
        left_s = at_most_s - (now_ms - since_ms) / 1000
        if left_s > LEAST_WAIT_S:
            return msgspec.structs.replace(ended, again_s=min(ended.again_s or 0.0, left_s)), since_ms
        error = one_line(f"it waited for {at_most_s:g} s, as long as it may: {ended.error}")
        log.error(
            "handler waited too long",
            delivery_id=self._order.delivery_id,
            handler=wanted.name,
            for_s=at_most_s,
        )
        return Ended(run=ended.run, outcome=Outcome.FAILED, took_ms=ended.took_ms, error=error), None


async def _stopped(host: HostHandle, run: int) -> Ended | None:
    """Cancel what runs for *run*, and return its end; a host that does not end it is killed."""
    try:
        ending = host.cancel(run)
        if ending is not None and not await _wait(ending, CANCEL_S):
            host.give_up(run)
            await _wait(ending, _KILL_S)
        ended = ending.result() if ending is not None and ending.done() else None
    except (HostGone, LateStart):  # nothing of it ran, or nothing that could be told
        return None
    return ended if isinstance(ended, Ended) else None  # it was only opened by then


async def _wait(ending: asyncio.Future[Ended], seconds: float) -> bool:
    """Wait for *ending*, however often this task is cancelled meanwhile."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not ending.done() and loop.time() < until:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([ending], timeout=until - loop.time())
    return ending.done()


def _named(found: Sequence[HandlerInfo]) -> Iterator[Wanted]:
    seen: dict[str, int] = {}
    for info in found:
        yield Wanted(info, seen.get(info.name, 0))
        seen[info.name] = seen.get(info.name, 0) + 1


def handler_is_gone(name: str) -> Ended:
    """Return the end of an attempt at a handler that the bot does not have any more."""
    return Ended(
        run=0,
        outcome=Outcome.FAILED,
        took_ms=0,
        error=f"handler {name} is gone: the bot that runs now has none of that name for this event",
    )


def _ms(since: float) -> int:
    return round((time.perf_counter() - since) * 1000)
