"""Serve the emulator's application on a port until a signal."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

GRACE_S = 1
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 takes a free one. Raise OSError when it cannot."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: ASGIApp, listener: socket.socket, *, when_serving: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then give open requests `GRACE_S` seconds and return.

    `when_serving` is called once requests are answered.
    """
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S, lifespan="on"
    )
    server = _Server(config, when_serving)

    def stop(_signal: int, _frame: object) -> None:
        server.should_exit = True

    # Before uvicorn has its own handlers, and for the signal that it raises again when it is done.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server that says when it serves."""

    def __init__(self, config: uvicorn.Config, when_serving: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_serving = when_serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so; not when it is to stop already."""
        await super().startup(sockets)
        if not self.should_exit:
            self._when_serving()
