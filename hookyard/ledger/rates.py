"""Rates and lengths: what happened in each minute, and how long handlers took.

Both are kept for eight days. A length is known to within a fifth: there are two steps to each doubling.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
KEPT_HOURS: Final = 8 * 24
_PICKED_UP: Final = "picked up"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """What happened from ``from_ms`` (Unix ms) on: ``accepted``, and deliveries by the state they went to."""

    from_ms: int
    counts: Counter[str]


@dataclass(kw_only=True, slots=True)
class Lengths:
    """How long something took, as a histogram, by outcome."""

    outcomes: Counter[str] = field(default_factory=Counter)
    steps: Counter[int] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.steps.values())

    def quantile_ms(self, share: float) -> float | None:
        """Return the length that *share* of them did not exceed; ``None`` when there were none."""
        if not self.steps:
            return None
        left = share * self.count
        for step in sorted(self.steps):
            left -= self.steps[step]
            if left <= 0:
                return step_end_ms(step)
        return step_end_ms(max(self.steps))


def step_end_ms(step: int) -> float:
    """Return the length at which a step of the histogram ends, ms."""
    return float(2 ** ((step + 1) / 2) - 1)


class Rates:
    """Reads the rates of one installation."""

    def __init__(self, redis: ArqRedis, keys: LedgerKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def series(self, *, until_ms: int, intervals: int, minutes_each: int) -> list[Interval]:
        """Return so many intervals of whole minutes, the last of which holds *until_ms*."""
        step_ms = minutes_each * MINUTE_MS
        first_ms = until_ms // step_ms * step_ms - (intervals - 1) * step_ms
        found = [Interval(from_ms=first_ms + at * step_ms, counts=Counter()) for at in range(intervals)]
        hours = range(first_ms // HOUR_MS, until_ms // HOUR_MS + 1)
        async with self._redis.pipeline(transaction=False) as pipe:
            for hour in hours:
                pipe.hgetall(f"{self._keys.minutes}{hour}")
            answers = await pipe.execute()
        for hour, counts in zip(hours, answers, strict=True):
            for name, count in counts.items():
                minute, _, what = name.decode().partition(":")
                place = (hour * HOUR_MS + int(minute) * MINUTE_MS - first_ms) // step_ms
                if 0 <= place < intervals:
                    found[place].counts[what] += int(count)
        return found

    async def lengths(self, *, until_ms: int, hours: int) -> tuple[dict[str, Lengths], Lengths]:
        """Return how long each handler took, by name, and how long deliveries waited for their first run."""
        last = until_ms // HOUR_MS
        async with self._redis.pipeline(transaction=False) as pipe:
            for hour in range(last - hours + 1, last + 1):
                pipe.hgetall(f"{self._keys.hours}{hour}")
            answers = await pipe.execute()
        handlers: dict[str, Lengths] = {}
        picked_up = Lengths()
        for counts in answers:
            for name, count in counts.items():
                step, outcome, handler = name.decode(errors="replace").split("\n", 2)
                lengths = picked_up if outcome == _PICKED_UP else handlers.setdefault(handler, Lengths())
                lengths.outcomes[outcome] += int(count)
                lengths.steps[int(step)] += int(count)
        return handlers, picked_up
