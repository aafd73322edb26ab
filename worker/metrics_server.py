"""``/metrics`` and ``/health`` of a worker, served on a port of its own by uvicorn in a thread.

They must answer while a handler blocks the worker's loop: that is what they are there to show.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hookyard.telemetry import logs
from hookyard.telemetry.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from hookyard.telemetry.metrics import Registry

log = logs.get_logger("worker")

_STOP_S: Final = 2
"""For a scrape under way when the worker ends."""


class MetricsServer:
    """Serves from ``start`` until ``stop``.

    :param fault: returns why this worker is unhealthy, or ``None``; called in the server's thread.
    """

    def __init__(self, registry: Registry, *, fault: Callable[[], str | None]) -> None:
        self._app = _app(registry, fault)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> None:
        """Listen there. A port that is taken costs a worker its metrics, not its deliveries."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family)
        except OSError as exc:
            log.error(
                "cannot listen: no /metrics and /health for this worker",
                host=host,
                port=port,
                error=exc.strerror or str(exc),
                hint="give each worker on one machine its own HOOKYARD_METRICS_PORT, or 0 for none",
            )
            return
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=_STOP_S,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="metrics", daemon=True
        )
        self._thread.start()
        log.info("metrics", host=host, port=listening.getsockname()[1])

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(2 * _STOP_S)


def _app(registry: Registry, fault: Callable[[], str | None]) -> Starlette:
    async def metrics(_request: Request) -> Response:
        # in a thread of the loop's few: /health answers while Redis is slow
        return Response(await asyncio.to_thread(registry.render), media_type=CONTENT_TYPE)

    async def health(_request: Request) -> Response:
        found = fault()
        return PlainTextResponse(f"{found or 'ok'}\n", status_code=503 if found else 200)

    return Starlette(routes=[Route("/metrics", metrics), Route("/health", health)])
