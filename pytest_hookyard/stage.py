"""Where everything runs during a test: two event loops in threads, and two addresses for the whole run.

The outside world (the emulator, the ingress, whoever waits for a delivery) has one loop, the worker
another, so that a handler which blocks its loop stops nobody but itself, as in production.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvicorn

from pytest_hookyard.whereabouts import whereabouts

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

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


class Door:
    """An address that stays, for apps that come and go. Its coroutines belong to one loop."""

    def __init__(self) -> None:
        self.url = ""
        self._app: Starlette | None = None
        self._leave = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen on a free loopback port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            lifespan="off",  # each app has its own
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def put(self, app: Starlette | None) -> None:
        """Have *app* answer from now on, in the place of the one before."""
        self._app = None
        if self._life is not None:
            self._leave.set()
            life, self._life = self._life, None
            await life
        if app is not None:
            self._leave, entered = asyncio.Event(), asyncio.Event()
            self._life = asyncio.create_task(self._live(app, entered, self._leave))
            entering = asyncio.create_task(entered.wait())
            await asyncio.wait({self._life, entering}, return_when=asyncio.FIRST_COMPLETED)
            entering.cancel()
            if self._life.done():
                life, self._life = self._life, None
                life.result()  # raises why it did not begin
            self._app = app

    async def close(self) -> None:
        """Listen no more."""
        await self.put(None)
        self._server.should_exit = True
        await self._serving

    @staticmethod
    async def _live(app: Starlette, entered: asyncio.Event, leave: asyncio.Event) -> None:
        """Hold an app's lifespan in one task, which task groups in it need."""
        async with app.router.lifespan_context(app):
            entered.set()
            await leave.wait()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is not None:
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"no test is running here\n"})


class Stage:
    """Both loops and both doors, for one run of pytest."""

    def __init__(self) -> None:
        self.world = LoopThread("the loop of GitLab and the ingress")
        self.worker = LoopThread("the worker's loop")
        self.gitlab = Door()
        self.ingress = Door()

    def open(self) -> None:
        """Start the loops and listen."""
        self.world.start()
        self.worker.start()
        self.world.run(self.gitlab.open())
        self.world.run(self.ingress.open())

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(StuckError):
            self.world.run(self._close())
        self.world.stop()
        self.worker.stop()

    async def _close(self) -> None:
        await asyncio.gather(self.gitlab.close(), self.ingress.close())
