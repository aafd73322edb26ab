"""Where everything runs during a test: two child processes, and two event loops in threads.

The ingress and the worker's supervisor are children. Here, the outside world (the emulator, whoever waits
for a delivery) has one loop, the bot's handlers another, so that a handler which blocks its loop stops
nobody but itself, as in production.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_hookyard.child_process import Child
from pytest_hookyard.door import Door
from pytest_hookyard.whereabouts import whereabouts

if TYPE_CHECKING:
    from collections.abc import Coroutine

Answer = TypeVar("Answer")

PATIENCE_S: Final = 30.0
_JOIN_S: Final = 5.0


class StuckError(Exception):
    """A loop does not come round; the text shows which handler it is in."""


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_up = threading.Event()
        # a daemon: a handler that blocks for ever must not keep pytest from ending
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._is_up.wait()

    def run(self, work: Coroutine[Any, Any, Answer], *, within_s: float = PATIENCE_S) -> Answer:
        """Run a coroutine there and return what it returns.

        :raises StuckError: when it is not done in time.
        """
        assert self._loop is not None  # noqa: S101 - start was called
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within_s)
        except TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise StuckError(f"{self._thread.name} is stuck. {self.handlers()}") from None

    def handlers(self) -> str:
        """Return where the handlers that run there are just now; empty when none does."""
        return whereabouts(self._loop) if self._loop else ""

    def stop(self) -> None:
        """Cancel what still runs there and end."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(_JOIN_S)

    async def _main(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._is_up.set()
        await self._over.wait()


class Stage:
    """Two loops, the emulator's address and two child processes, for one run of pytest."""

    def __init__(self) -> None:
        self.world = LoopThread("the loop of GitLab")
        self.host = LoopThread("the handlers' loop")
        self.gitlab = Door()
        self.ingress = Child("ingress")
        self.worker = Child("worker")

    def open(self) -> None:
        """Start the loops and listen; the children have begun to start."""
        self.world.start()
        self.host.start()
        self.world.run(self.gitlab.open())
        self.world.run(self.ingress.open())
        self.host.run(self.worker.open())

    def close(self) -> None:
        """End everything."""
        for loop, closing in (
            (self.host, self.worker.close),
            (self.world, self.ingress.close),
            (self.world, self.gitlab.close),
        ):
            with contextlib.suppress(StuckError):
                loop.run(closing())
        self.world.stop()
        self.host.stop()
