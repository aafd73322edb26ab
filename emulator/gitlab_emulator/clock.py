"""The emulator's clock, which can run faster than real time and be moved forward.

So that a test need not wait a minute for a hook to be called again. Receivers compare the time of a
delivery with their own clock, so that one comes from the world's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SPEED = 100_000.0
MAX_FORWARD_S = 10 * 365 * 86_400.0
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class ClockError(ValueError):
    """The clock cannot be set like that; the text says what can be."""


def utc_now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


class Clock:
    """Calling it gives the time. `source` is what it follows."""

    def __init__(self, source: Callable[[], datetime] = utc_now, *, speed: float = 1.0) -> None:
        self._source = source
        self._since = self._shown_then = source()
        self.speed = speed

    def __call__(self) -> datetime:
        """The time now; from the year 9000 on it stands still, since dates end there."""
        passed_s = (self._source() - self._since).total_seconds() * self.speed
        left_s = (LATEST - self._shown_then).total_seconds()
        return self._shown_then + timedelta(seconds=min(passed_s, left_s))

    def set(self, *, forward_s: float = 0.0, speed: float | None = None) -> None:
        """Move it forward by `forward_s` seconds, and set how many times as fast it runs from now on."""
        if not 0 <= forward_s <= MAX_FORWARD_S:
            raise ClockError(f"forward_s must be a number of seconds from 0 to {MAX_FORWARD_S:.0f}")
        if speed is not None and not 0 < speed <= MAX_SPEED:
            raise ClockError(f"speed must be a number above 0 and at most {MAX_SPEED:.0f}")
        self._shown_then = min(self() + timedelta(seconds=forward_s), LATEST)
        self._since = self._source()
        self.speed = self.speed if speed is None else speed
