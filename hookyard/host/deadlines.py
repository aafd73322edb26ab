"""Soft limits on attempts: one timer for all, and time in which the loop was blocked does not count.

A handler that blocks the loop keeps the others beside it from getting on, so their clocks stand still
meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S: Final = 0.05
BLOCKED_S: Final = 0.25
"""A tick that comes later than this was held up by a handler that blocked the loop."""

INSIST_S: Final = 1.0
"""A handler that ignores its cancellation is cancelled again this often."""


class Deadlines:
    """Cancels attempts that are overdue."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}  # on our clock
        self._blocked_s: dict[object, float] = {}  # since the last tick, by whom
        self._lost_s = 0.0  # for how long the loop was blocked, all in all
        self._ticking = False
        self._expected = 0.0

    def set(self, key: object, seconds: float, expire: Callable[[], None]) -> None:
        """Call *expire* when *seconds* have passed, and again every second until :meth:`clear`."""
        self._due[key] = (self._now() + seconds, expire)
        if not self._ticking:
            self._ticking = True
            self._wait(min(TICK_S, seconds))
        elif seconds < TICK_S:
            self._loop.call_later(seconds, self._expire)

    def charge(self, key: object, seconds: float) -> None:
        """Count *seconds* for which *key* itself blocked the loop, should the tick take them off for all."""
        self._blocked_s[key] = self._blocked_s.get(key, 0.0) + seconds

    def clear(self, key: object) -> None:
        """Forget *key*."""
        self._due.pop(key, None)

    def _now(self) -> float:
        return self._loop.time() - self._lost_s

    def _wait(self, seconds: float) -> None:
        self._expected = self._loop.time() + seconds
        self._loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        late_s = self._loop.time() - self._expected
        if late_s > BLOCKED_S:
            self._lost_s += late_s
            for key, blocked_s in self._blocked_s.items():
                if key in self._due:
                    due, expire = self._due[key]
                    self._due[key] = (due - min(blocked_s, late_s), expire)
        self._blocked_s.clear()
        self._expire()
        if self._due:
            self._wait(TICK_S)
        else:
            self._ticking = False

    def _expire(self) -> None:
        now = self._now()
        for key, (due, expire) in list(self._due.items()):
            if due <= now:
                self._due[key] = (now + INSIST_S, expire)
                expire()
