"""An address that stays for the whole run, while the apps that answer there come and go."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send


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
