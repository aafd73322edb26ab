"""Text and colours for a delivery and its parts. Rule: pure.

Text by senders and handlers (project, error, traceback) goes through ``plain`` before it reaches a
terminal, so that it cannot move the cursor or colour what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from hookyard.cli.output.safe import plain
from hookyard.ledger.records import DONE, Attempt, Ending, Outcome, Record, State
from hookyard.ledger.times import ago, span, until

if TYPE_CHECKING:
    from hookyard.ledger.records import Delivery

COLOURS: Final = {
    State.QUEUED: "cyan",
    State.RUNNING: "blue",
    State.WAITING: "cyan",
    State.RETRYING: "yellow",
    State.SUCCEEDED: "green",
    State.IGNORED: "bright_black",
    State.FAILED: "bold red",
}
OUTCOME_MARKS: Final = {
    Outcome.SUCCEEDED: ("✓", "green"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.TIMED_OUT: ("✗", "red"),
    Outcome.CRASHED: ("✗", "red"),
    Outcome.WAITING: ("…", "cyan"),
    Outcome.SUPERSEDED: ("»", "bright_black"),
    Outcome.INTERRUPTED: ("↻", "bright_black"),
}
LONG_WAIT_MS: Final = 10_000
"""A delivery that has been due for longer suggests that no worker is running."""


def one_line(text: str) -> str:
    """Return *text*, made plain, on one line."""
    return " ".join(plain(text).split())


def state(record: Record) -> Text:
    """Return the state in its colour."""
    return Text(record.state.value, style=COLOURS[record.state])


def event(delivery: Delivery) -> str:
    """Return the event for a list, without the ``Hook`` in which every event's name ends."""
    return one_line(delivery.event).removesuffix(" Hook")


def about(delivery: Delivery) -> str:
    """Return the subject of the event, as far as it is known: ``group/app #7``."""
    return one_line(" ".join(part for part in (delivery.project, delivery.object) if part))


def next_or_error(record: Record, *, now_ms: int) -> str:
    """Return the last column of a list: the next run, and the error."""
    parts = []
    if record.state is State.RUNNING and record.claimed_ms is not None:
        parts.append(f"for {span(max(0, now_ms - record.claimed_ms))}")
    elif record.state in {State.RETRYING, State.WAITING} and record.due_ms is not None:
        parts.append(until(record.due_ms, now_ms=now_ms))
    elif record.state is State.QUEUED and record.due_ms is not None:
        parts.append(f"waiting {span(max(0, now_ms - record.due_ms))}")
    if record.error:
        parts.append(one_line(record.error))
    return ": ".join(parts)


def runs(number: int) -> str:
    """Return ``1 run``, ``3 runs``."""
    return "1 run" if number == 1 else f"{number} runs"


def deliveries(number: int) -> str:
    """Return ``1 delivery``, ``1,234 deliveries``."""
    return "1 delivery" if number == 1 else f"{number:,} deliveries"


def next_steps(record: Record, *, now_ms: int) -> list[str]:
    """Return what happens next to a delivery and what an operator can do; commands have their own lines."""
    if record.dropped_ms is not None:
        return ["Nothing: its body was dropped to make room in Redis, so it cannot be replayed."]
    return _next_steps(record, now_ms)


def _next_steps(record: Record, now_ms: int) -> list[str]:
    due_ms, replay = record.due_ms, f"  hookyard replay {record.delivery.id}"
    match record.state:
        case State.QUEUED:
            return _queued(record, now_ms)
        case State.WAITING:
            when = until(due_ms, now_ms=now_ms) if due_ms is not None else "soon"
            lines = [f"It waits, which is no failure, and runs again {when}. To run it now:", replay]
            return [f"For: {one_line(record.error)}", *lines] if record.error else lines
        case State.RETRYING:
            when = until(due_ms, now_ms=now_ms) if due_ms is not None else "soon"
            return [f"It runs again {when}. To run it now:", f"{replay} --failed-only"]
        case State.RUNNING:
            when = until(due_ms, now_ms=now_ms) if due_ms is not None else "soon"
            return [f"It is running. Its lease ends {when} and is renewed while the worker is alive."]
        case _:
            return _finished(record, replay)


def _finished(record: Record, replay: str) -> list[str]:
    if record.state is State.SUCCEEDED:
        return ["Nothing: every handler succeeded. To run all of them again:", replay]
    if record.state is State.FAILED:
        return [
            "Nothing, unless you replay it: all handlers, or only those without a success:",
            replay,
            f"{replay} --failed-only",
        ]
    if any(each.outcome is Outcome.SUPERSEDED for each in record.standings().values()):
        return ["Nothing: a newer delivery with its key ran instead. To run it all the same:", replay]
    return ["Nothing: no handler is registered for this event. After adding one, run it:", replay]


def _queued(record: Record, now_ms: int) -> list[str]:
    due_ms = record.due_ms if record.due_ms is not None else now_ms
    if due_ms > now_ms:
        lines = [f"It runs again {until(due_ms, now_ms=now_ms)}."]
    else:
        lines = [f"It has been waiting for a worker for {span(now_ms - due_ms)}."]
    if record.quarantined_ms is not None:
        lines.insert(0, "It is quarantined, because its worker died while running it: it runs alone.")
    if now_ms - due_ms > LONG_WAIT_MS:
        lines += ["If no worker is running, start one:", "  hookyard worker"]
    return lines


def run_ending(ending: Ending) -> str:
    """Return how a run ended, with an explanation of the term."""
    return {
        Ending.SETTLED: "settled",
        Ending.RELEASED: "released (its worker stopped; not counted)",
        Ending.CRASHED: "crashed (its worker disappeared)",
        Ending.RUNNING: "running",
    }[ending]


def consequence(attempt: Attempt, *, is_latest: bool, now_ms: int) -> str | None:
    """Return what follows a failed attempt; ``None`` after a success."""
    if attempt.outcome in DONE:
        return None
    if attempt.final:
        return "not retried"
    if attempt.due_ms is None or not is_latest:
        return None
    if attempt.outcome is Outcome.WAITING:
        return f"runs again {until(attempt.due_ms, now_ms=now_ms)}"
    return f"retried {until(attempt.due_ms, now_ms=now_ms)}"


def received(record: Record, *, now_ms: int) -> str:
    """Return how long ago a delivery was received."""
    return ago(record.delivery.received_ms, now_ms=now_ms)
