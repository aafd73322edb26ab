"""Runs one ingress process in the foreground: what ``hookyard ingress`` starts."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import structlog
import uvicorn

from deliveries import logs
from deliveries.settings import load_or_exit
from ingress.app import create_app
from ingress.starting import start_faults

if TYPE_CHECKING:
    from types import FrameType

log = structlog.get_logger("ingress")

GRACE_S = 15
"""How long requests in flight may take to be answered; GitLab waits 10 s."""


class Server(uvicorn.Server):
    """uvicorn, but at SIGTERM it first says so by ``/ready``, and goes on answering for a while.

    :param delay_s: for how long; a load balancer needs it to notice. The second signal cuts it short.
    """

    def __init__(self, config: uvicorn.Config, *, delay_s: float) -> None:
        super().__init__(config)
        self.is_stopping = False
        self._delay_s = delay_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if self.is_stopping or not self.started or self._delay_s <= 0:
            super().handle_exit(sig, frame)
            return
        self.is_stopping = True
        log.info("ingress stops", in_s=self._delay_s)
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._delay_s, super().handle_exit, sig, frame)


def main() -> int:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first. Gives the exit code."""
    settings = load_or_exit(start_faults)
    logs.configure("ingress", level=settings.log_level, log_format=settings.log_format)
    stopping: list[Server] = []
    app = create_app(settings, is_stopping=lambda: any(server.is_stopping for server in stopping))
    server = Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        delay_s=settings.shutdown_delay_s,
    )
    stopping.append(server)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
