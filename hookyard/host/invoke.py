"""What one run of one handler comes to: calls it as gidgetlab does, under its timeout.

What a handler raises is its outcome and nobody else's; only cancellation (a drain, a lost lease)
passes through.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hookyard import CurrentDelivery, GiveUp, as_current, current_delivery, policy_of
from hookyard.host.retry import Again, Limits, decide
from hookyard.ledger.records import Attempt, Outcome, one_line
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from gidgetlab.sansio import Event

    from hookyard.host.routing import Handler

TRACEBACK_LIMIT: Final = 8_000

log = logs.get_logger("worker")
_log = logs.stdlib_logger("worker")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """On what terms handlers are run, where their own policies do not say otherwise.

    ``jitter`` gives a number from 0 up to 1; ``threads`` runs plain ``def`` handlers.
    """

    limits: Limits
    timeout_s: float
    jitter: Callable[[], float]
    threads: ThreadPoolExecutor


async def run_handler(
    handler: Handler, event: Event, gl: object, *, running: CurrentDelivery, terms: Terms
) -> Attempt:
    """Run *handler* once and return the attempt, logged.

    :param running: what the handler may know of its delivery; ``attempt`` is the handler's own
        count of runs in this round.
    :raises asyncio.CancelledError: when the task was cancelled, and only then.
    """
    timeout_s = policy_of(handler.call).timeout_s or terms.timeout_s
    started_ms, began = now_ms(), time.perf_counter()
    error: BaseException | None = None
    limit = asyncio.timeout(timeout_s)
    try:
        with as_current(running):
            async with limit:
                await _call(handler.call, event, gl, terms.threads)
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        error = exc  # the handler's own: something that it awaited was cancelled
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - the one place; sys.exit() in a handler is its failure
        error = exc
    took_ms = round((time.perf_counter() - began) * 1000)
    if error is None:
        if _log.isEnabledFor(logging.INFO):  # at thousands a second, a line composed in vain is felt
            log.info("handler succeeded", **_fields(running), took_ms=took_ms)
        return Attempt(
            handler=handler.name,
            outcome=Outcome.SUCCEEDED,
            number=running.attempt,
            started_ms=started_ms,
            took_ms=took_ms,
            final=True,
        )
    decision = decide(
        error,
        attempt=running.attempt,
        policy=policy_of(handler.call),
        limits=terms.limits,
        jitter=terms.jitter(),
        now_s=time.time(),
    )
    timed_out = limit.expired() and isinstance(error, TimeoutError)
    text = f"it ran longer than {timeout_s:g} s" if timed_out else _text(error)
    again_s = decision.delay_s if isinstance(decision, Again) else None
    # the class only: an error's text may quote the payload; `hookyard show` has it all
    log.warning(
        "handler timed out" if timed_out else "handler failed",
        **_fields(running),
        error=type(error).__name__,
        took_ms=took_ms,
        next_run_in_s=None if again_s is None else round(again_s, 3),
    )
    return Attempt(
        handler=handler.name,
        outcome=Outcome.TIMED_OUT if timed_out else Outcome.FAILED,
        number=running.attempt,
        started_ms=started_ms,
        took_ms=took_ms,
        final=again_s is None,
        due_ms=None if again_s is None else now_ms() + round(again_s * 1000),
        error=one_line(text if isinstance(decision, Again) else f"{text} ({decision.because})"),
        traceback=None if isinstance(error, GiveUp) else _trace(error),
    )


def log_context() -> dict[str, object]:
    """Return what every log line of a handler says of its delivery, whoever writes it; else nothing."""
    try:
        running = current_delivery()
    except LookupError:
        return {}
    return _fields(running)


def _fields(running: CurrentDelivery) -> dict[str, object]:
    return {"delivery_id": running.id, "handler": running.handler, "attempt": running.attempt}


async def _call(call: Callable[..., Any], event: Event, gl: object, threads: ThreadPoolExecutor) -> None:
    """Call a handler with ``(event, gl)``; a plain ``def`` runs in a thread, so that it cannot block."""
    if _is_async(call):
        await call(event, gl)
        return
    context = contextvars.copy_context()
    answer = await asyncio.get_running_loop().run_in_executor(threads, lambda: context.run(call, event, gl))
    if inspect.isawaitable(answer):  # e.g. a lambda that returns a coroutine
        await answer


def _is_async(call: Callable[..., Any]) -> bool:
    while hasattr(call, "func") and callable(call.func):  # functools.partial
        call = call.func
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
        getattr(call, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
    )


def _text(error: BaseException) -> str:
    words = str(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _trace(error: BaseException) -> str:
    """Return the traceback from the handler on, its end where it is long."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    return text if len(text) <= TRACEBACK_LIMIT else "…\n" + text[-TRACEBACK_LIMIT:]


def now_ms() -> int:
    """Return Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
