"""A delivery in words: its state's colour, what it is about, what comes next. Rule: pure.

What a sender or a handler wrote (project, error, traceback) goes through :func:`plain` before it
reaches a terminal, so that it cannot move the cursor or colour what follows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.text import Text

from hookyard.cli.output.times import ago, span, until
from hookyard.ledger.records import Attempt, Ending, Outcome, Record, State

if TYPE_CHECKING:
    from hookyard.ledger.records import Delivery

COLOURS: Final = {
    State.QUEUED: "cyan",
    State.RUNNING: "blue",
    State.RETRYING: "yellow",
    State.SUCCEEDED: "green",
    State.IGNORED: "bright_black",
    State.FAILED: "bold red",
}
OUTCOME_MARKS: Final = {
    Outcome.SUCCEEDED: ("✓", "green"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.TIMED_OUT: ("✗", "red"),
}
LONG_WAIT_MS: Final = 10_000
"""What has been due for longer than this makes one ask whether a worker is running."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return *text* without characters that a terminal would obey; tabs and line ends stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return :func:`plain` *text* on one line."""
    return " ".join(plain(text).split())


def state(record: Record) -> Text:
    """Return the state in its colour."""
    return Text(record.state.value, style=COLOURS[record.state])


def event(delivery: Delivery) -> str:
    """Return the event for a list, where there is no room for what every event's name ends in."""
    return one_line(delivery.event).removesuffix(" Hook")


def about(delivery: Delivery) -> str:
    """Return what the event is about: ``group/app #7``, as far as it is known."""
    return one_line(" ".join(part for part in (delivery.project, delivery.object) if part))


def next_or_error(record: Record, *, now_ms: int) -> str:
    """Return a list's last column: when it runs next, and what went wrong."""
    parts = []
    if record.state is State.RUNNING and record.claimed_ms is not None:
        parts.append(f"for {span(max(0, now_ms - record.claimed_ms))}")
    elif record.state is State.RETRYING and record.due_ms is not None:
        parts.append(until(record.due_ms, now_ms=now_ms))
    elif record.state is State.QUEUED and record.due_ms is not None:
        parts.append(f"waits {span(max(0, now_ms - record.due_ms))}")
    if record.error:
        parts.append(one_line(record.error))
    return ": ".join(parts)


def runs(number: int) -> str:
    """Return ``1 run``, ``3 runs``."""
    return "1 run" if number == 1 else f"{number} runs"


def deliveries(number: int) -> str:
    """Return ``1 delivery``, ``1,234 deliveries``."""
    return "1 delivery" if number == 1 else f"{number:,} deliveries"


def comes_next(record: Record, *, now_ms: int) -> list[str]:
    """Return what will become of a delivery, and what an operator can do; commands on lines of their own."""
    if record.dropped_ms is not None:
        return ["Nothing: its body was dropped to make room in Redis, so it cannot be replayed."]
    return _comes_next(record, now_ms)


def _comes_next(record: Record, now_ms: int) -> list[str]:
    due_ms, replay = record.due_ms, f"  hookyard replay {record.delivery.id}"
    match record.state:
        case State.QUEUED:
            return _queued(record, now_ms)
        case State.RETRYING:
            when = until(due_ms, now_ms=now_ms) if due_ms is not None else "soon"
            return [f"It runs again {when}. At once with:", f"{replay} --failed-only"]
        case State.RUNNING:
            when = until(due_ms, now_ms=now_ms) if due_ms is not None else "soon"
            return [f"Its worker is at it. Its lease ends {when}, and is renewed while the worker lives."]
        case State.SUCCEEDED:
            return ["Nothing: every handler succeeded. Run all again with:", replay]
        case State.IGNORED:
            return ["Nothing: no handler wants this event. Once one does, run it with:", replay]
        case State.FAILED:
            return [
                "Nothing by itself: it was given up. Run all of it again, or only what failed:",
                replay,
                f"{replay} --failed-only",
            ]


def _queued(record: Record, now_ms: int) -> list[str]:
    due_ms = record.due_ms if record.due_ms is not None else now_ms
    lines = [f"It waits for a worker, since {span(max(0, now_ms - due_ms))}."]
    if record.quarantined_ms is not None:
        lines.insert(0, "It is quarantined, because its worker died while running it: it runs alone.")
        if due_ms > now_ms:
            lines[1:] = [f"It runs again {until(due_ms, now_ms=now_ms)}."]
    if now_ms - due_ms > LONG_WAIT_MS:
        lines += ["Is a worker running? Start one with:", "  hookyard worker"]
    return lines


def how_it_ended(ending: Ending) -> str:
    """Return how a try ended, for a reader who does not know the words yet."""
    return {
        Ending.SETTLED: "settled",
        Ending.RELEASED: "released (its worker was stopped; not counted)",
        Ending.CRASHED: "crashed (its worker did not come back)",
        Ending.RUNNING: "running",
    }[ending]


def after(attempt: Attempt, *, is_latest: bool, now_ms: int) -> str | None:
    """Return what followed, or will follow, a handler's outcome; ``None`` for a success."""
    if attempt.outcome is Outcome.SUCCEEDED:
        return None
    if attempt.final:
        return "given up"
    if attempt.due_ms is None or not is_latest:
        return None
    return f"runs again {until(attempt.due_ms, now_ms=now_ms)}"


def received(record: Record, *, now_ms: int) -> str:
    """Return when a delivery came, seen from now."""
    return ago(record.delivery.received_ms, now_ms=now_ms)
