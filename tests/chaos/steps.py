"""What the bot wrote down: every attempt's start and end, by delivery."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A line of the bot's log.

    ``what`` is ``start``, ``end``, ``fail`` or ``overlaps``, ``at_ms`` Unix milliseconds; ``pid`` the process
    and ``worker`` its worker's; ``other`` the process and worker in which an earlier attempt still ran.
    """

    handler: str
    what: str
    at_ms: int
    pid: int
    worker: int
    attempt: int
    other: tuple[str, str] = ("", "")


def read_steps(log: Path) -> dict[str, list[Step]]:
    """Return what is in *log*, by delivery id, in order."""
    steps: dict[str, list[Step]] = defaultdict(list)
    ahead_ms = (time.time_ns() - time.monotonic_ns()) // 1_000_000
    if not log.exists():
        return steps
    with log.open() as lines:
        for line in lines:
            delivery_id, handler, what, at, pid, worker, attempt, *more = line.split()
            steps[delivery_id].append(
                Step(
                    handler=handler,
                    what=what,
                    at_ms=int(at) + ahead_ms,
                    pid=int(pid),
                    worker=int(worker),
                    attempt=int(attempt),
                    other=(more[0], more[1]) if more else ("", ""),
                )
            )
    return steps
