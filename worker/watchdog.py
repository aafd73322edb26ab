"""Whether the event loop is stuck, and who sticks it: asked from the leases' thread.

A handler that blocks the loop (``time.sleep``, a long computation) keeps its worker's leases until
it has blocked for longer than its own timeout; from then on the worker counts as dead, so that
others may take over what it holds. asyncio cannot interrupt such a handler, only name it.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from hookyard.telemetry import logs

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = logs.get_logger("worker")


class Watchdog:
    """Watches *loop*, in whose thread it is made.

    :param blocking: called from another thread; gives the handler whose task the loop is in, if it
        can be told, and the seconds for which it may run.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, blocking: Callable[[], tuple[str | None, float]]
    ) -> None:
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._blocking = blocking
        self._asked_at: float | None = None
        self._told = False

    @property
    def has_given_up(self) -> bool:
        """Whether the loop is stuck, as was found when this was last asked."""
        return self._told

    def is_stuck(self) -> bool:
        """Return whether the loop has not answered for longer than its handler may run; logs that once."""
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            self._loop.call_soon_threadsafe(self._answer)
            return False
        stuck_s = now - self._asked_at
        handler, timeout_s = self._blocking()
        if stuck_s <= timeout_s:
            return False
        if not self._told:
            self._told = True
            log.error(
                "a handler blocks the event loop; this worker's leases are given up",
                handler=handler or "unknown",
                at=self._place(),
                for_s=round(stuck_s, 1),
                timeout_s=timeout_s,
                hint="await instead of blocking, or write it as a plain def: those run in a thread",
            )
        return True

    def _answer(self) -> None:
        """Run in the loop, as soon as it runs anything."""
        if self._told:
            log.warning("the event loop runs again")
        self._asked_at = None
        self._told = False

    def _place(self) -> str:
        """Return where the loop's thread is just now."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - documented, but for its name
        if frame is None:
            return "?"
        return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
