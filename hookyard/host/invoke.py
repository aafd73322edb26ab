"""Run one attempt: call a handler as gidgetlab does, and turn whatever it does into its outcome.

Rule: nothing that a handler raises, returns or cancels passes this module; only what the supervisor
ordered (a cancellation) or the clock (a time-out) is anything but the handler's own doing.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import json
import logging
import threading
import time
import types
from typing import TYPE_CHECKING, Any, Final, Protocol

from hookyard import CurrentDelivery, GiveUp, Wait, as_current, current_delivery
from hookyard.host.event_key import within
from hookyard.host.failures import describe, leaves, trace
from hookyard.host.messages import Ended, FollowUp
from hookyard.host.retry import LONGEST_ASKED_S, Again, Limits, Stop, decide, waits_of
from hookyard.ledger.records import Outcome, one_line
from hookyard.telemetry import logs
from hookyard.telemetry.scrubber import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from concurrent.futures import ThreadPoolExecutor

    from gidgetlab.sansio import Event

    from hookyard.host.deadlines import Deadlines

BLOCKING_S: Final = 0.25
"""A handler that keeps the event loop for longer than this without an await is reported."""

RESULT_LIMIT: Final = 16 * 1024
"""What a handler returns is kept up to so many characters of JSON."""

log = logs.get_logger("worker")
_log = logs.stdlib_logger("worker")


class Cell(Protocol):
    """Where a host says which run has the event loop just now; shared with its supervisor."""

    def __setitem__(self, index: int, value: int, /) -> None:
        """Set it."""


class Job:
    """An attempt under way.

    :param call: the handler.
    :param run: the supervisor's number for the run.
    :param timeout_s: after so long the handler is cancelled; a plain function cannot be.
    :param is_chained: GitLab is to send webhooks for what it does.
    """

    def __init__(
        self,
        call: Callable[..., Any],
        *,
        run: int,
        is_plain: bool,
        timeout_s: float,
        current: CurrentDelivery,
        limits: Limits,
        is_chained: bool = False,
    ) -> None:
        self.call = call
        self.run = run
        self.is_plain = is_plain
        self.timeout_s = timeout_s
        self.current = current
        self.limits = limits
        self.is_chained = is_chained
        self.task: asyncio.Task[None] | None = None
        self.unawaited: list[str] = []
        self._has_begun = False
        self._is_cancelled = False
        self._is_expired = False

    def cancel(self) -> None:
        """Cancel it by order of the supervisor; a thread goes on."""
        if not self._has_begun:
            self._is_cancelled = True  # a task cancelled before its first step would say nothing
        elif not self.is_plain and self.task is not None:
            self._is_cancelled = True
            self.task.cancel()

    def _expire(self) -> None:
        self._is_expired = True
        if self.task is not None:
            self.task.cancel()

    async def finish(
        self,
        event: Event,
        gl: object,
        *,
        threads: ThreadPoolExecutor,
        deadlines: Deadlines,
        cell: Cell,
        blocked: Callable[[int, str, float], None],
        jitter: float,
    ) -> Ended:
        """Run the handler to its end and return its outcome, logged.

        :param blocked: called with the run, the handler's name and the seconds for which it kept the loop.
        """

        def on_block(seconds: float) -> None:
            deadlines.charge(self, seconds)
            blocked(self.run, self.current.handler, seconds)

        self._has_begun = True
        if self._is_cancelled:
            return Ended(run=self.run, outcome=Outcome.INTERRUPTED, took_ms=0)
        began = time.perf_counter()
        error: BaseException | None
        with as_current(self.current):
            _job.set(self)
            if self.is_plain:
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                returned, error = await loop.run_in_executor(
                    threads, context.run, _call_plainly, self.call, event, gl
                )
            else:
                returned, error = None, None
                deadlines.set(self, self.timeout_s, self._expire)
            try:
                if not self.is_plain:
                    returned = self.call(event, gl)
                if inspect.isawaitable(returned):
                    if self.is_plain:  # say, a lambda around a coroutine function
                        left_s = self.timeout_s - (time.perf_counter() - began)
                        deadlines.set(self, max(0.0, left_s), self._expire)
                    coroutine = returned if inspect.iscoroutine(returned) else _coroutine(returned)
                    returned = await _stepping(coroutine, self.run, cell, on_block)
                elif error is None and _is_generator(returned):
                    error = TypeError(
                        "the handler is a generator: it contains yield, so its body did not run"
                    )
            except BaseException as exc:  # noqa: BLE001 - whatever a handler raises is its outcome
                error = exc
            finally:
                deadlines.clear(self)
        took_ms = round((time.perf_counter() - began) * 1000)
        return self._outcome(returned, error, took_ms=took_ms, jitter=jitter)

    def _outcome(self, returned: Any, error: BaseException | None, *, took_ms: int, jitter: float) -> Ended:
        fields = _fields(self.current)
        if self._is_cancelled and error is not None:
            return Ended(run=self.run, outcome=Outcome.INTERRUPTED, took_ms=took_ms)
        if error is None and self.unawaited:
            what = ", ".join(self.unawaited)
            error = GiveUp(f"an await is missing: {what} was called and never awaited, so it did not run")
        if error is None and not self._is_expired:
            if _log.isEnabledFor(logging.INFO):  # at thousands a second, a line composed in vain is felt
                log.info("handler succeeded", **fields, took_ms=took_ms)
            return self._success(returned, took_ms)
        if self._is_expired:
            error = TimeoutError() if error is None else error
        assert error is not None  # noqa: S101 - for mypy; each way above sets one
        if not self._is_expired and (waits := waits_of(error)):
            return self._waiting(waits, took_ms)
        decision = decide(
            TimeoutError() if self._is_expired else error,
            attempt=self.current.attempt,
            limits=self.limits,
            jitter=jitter,
            now_s=time.time(),
        )
        text = f"it ran longer than {self.timeout_s:g} s" if self._is_expired else scrub(describe(error))
        # the class only: an error's text may quote the payload; `hookyard show` has it all
        log.warning(
            "handler timed out" if self._is_expired else "handler failed",
            **fields,
            error=type(error).__name__,
            took_ms=took_ms,
            next_attempt_in_s=round(decision.delay_s, 3) if isinstance(decision, Again) else None,
        )
        given_up = any(isinstance(each, GiveUp) for each in leaves(error))
        return Ended(
            run=self.run,
            outcome=Outcome.TIMED_OUT if self._is_expired else Outcome.FAILED,
            took_ms=took_ms,
            again_s=decision.delay_s if isinstance(decision, Again) else None,
            error=one_line(f"{text} ({decision.because})" if isinstance(decision, Stop) else text),
            traceback=None if given_up else trace(error, skip=__file__, scrub=scrub),
        )

    def _success(self, returned: Any, took_ms: int) -> Ended:
        enqueued = self.current.enqueued
        return Ended(
            run=self.run,
            outcome=Outcome.SUCCEEDED,
            took_ms=took_ms,
            result=None if returned is None else _result(returned),
            enqueued=tuple(FollowUp(each.event, each.body, each.delay_s, each.once) for each in enqueued)
            if enqueued
            else (),
        )

    def _waiting(self, waits: list[Wait], took_ms: int) -> Ended:
        longest = max(waits, key=lambda each: each.seconds)
        log.info("handler waits", **_fields(self.current), took_ms=took_ms, for_s=round(longest.seconds, 3))
        return Ended(
            run=self.run,
            outcome=Outcome.WAITING,
            took_ms=took_ms,
            again_s=min(longest.seconds, LONGEST_ASKED_S),
            error=one_line(scrub(describe(longest).removeprefix("Wait: "))),
            wake_on=next(
                (within(self.current.source, each.wake_on) for each in waits if each.wake_on is not None),
                None,
            ),
        )


_job: contextvars.ContextVar[Job | None] = contextvars.ContextVar("hookyard_job", default=None)


_collecting: Final = threading.local()


def _note_collection(phase: str, _info: dict[str, int]) -> None:
    _collecting.is_on = phase == "start"


gc.callbacks.append(_note_collection)


def note_unawaited(what: str) -> bool:
    """Charge the handler that runs here with a coroutine it never awaited; ``False`` outside of one.

    What the cycle collector finds may be any handler's, and is nobody's fault that can be named.
    """
    job = _job.get()
    if job is None or getattr(_collecting, "is_on", False):
        return False
    job.unawaited.append(what)
    return True


def log_context() -> dict[str, object]:
    """Return what every log line of a handler says of its delivery, whoever writes it; else nothing."""
    try:
        current = current_delivery()
    except LookupError:
        return {}
    return _fields(current)


def _fields(current: CurrentDelivery) -> dict[str, object]:
    return {"delivery_id": current.id, "handler": current.handler, "attempt": current.attempt}


def _call_plainly(call: Callable[..., Any], event: Event, gl: object) -> tuple[Any, BaseException | None]:
    """Call a plain function in a thread; a future could not carry everything that it may raise."""
    try:
        return call(event, gl), None
    except BaseException as exc:  # noqa: BLE001 - whatever a handler raises is its outcome
        return None, exc


async def _coroutine(awaitable: Any) -> Any:
    return await awaitable


@types.coroutine
def _stepping(
    coroutine: Coroutine[Any, Any, Any], run: int, cell: Cell, blocked: Callable[[float], None]
) -> Generator[Any, Any, Any]:
    """Await *coroutine*, saying in *cell* when it has the loop, and reporting when it keeps it too long."""
    send, throw, argument = coroutine.send, coroutine.throw, None
    step: Callable[[Any], Any] = send
    while True:
        cell[0] = run
        since = time.monotonic()
        try:
            awaited = step(argument)
        except StopIteration as done:
            return done.value
        finally:
            cell[0] = 0
            if (seconds := time.monotonic() - since) > BLOCKING_S:
                blocked(seconds)
        try:
            argument = yield awaited
            step = send
        except BaseException as exc:  # noqa: BLE001 - to be raised where the handler waits
            argument, step = exc, throw


def _is_generator(value: object) -> bool:
    return inspect.isgenerator(value) or inspect.isasyncgen(value)


def _result(returned: Any) -> str | None:
    """Return what a handler returned as JSON, ``None`` where it is too long or no JSON can hold it."""
    try:
        text = json.dumps(returned, allow_nan=False)
    except Exception:  # noqa: BLE001 - an object of the bot's; what it cannot become is not kept
        return None
    text = scrub(text)
    return text if len(text) <= RESULT_LIMIT else None
