"""Run one ingress process in the foreground; ``hookyard ingress`` starts it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING

import structlog
import uvicorn

from hookyard.settings.settings import load_or_exit
from hookyard.startup import drain_on_hangup, freeze_startup_objects
from hookyard.telemetry import logs
from ingress.app import create_app
from ingress.connection import Connections, most_connections, protocol
from ingress.metrics import IngressMetrics
from ingress.startup_checks import start_faults

if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

log = structlog.get_logger("ingress")

GRACE_S = 15
"""Time limit for answering requests in flight; GitLab waits 10 s."""


class Server(uvicorn.Server):
    """uvicorn's server, which at SIGTERM first turns ``/ready`` to 503 and goes on answering for a while.

    Answers end their connections then, so that a load balancer that keeps them opens them elsewhere.

    :param delay_s: the time that a load balancer needs to notice. A second signal cuts it short.
    """

    def __init__(self, config: uvicorn.Config, *, connections: Connections, delay_s: float) -> None:
        super().__init__(config)
        self.is_stopping = False
        self._connections = connections
        self._delay_s = delay_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if self.is_stopping or not self.started or self._delay_s <= 0:
            super().handle_exit(sig, frame)
            return
        self.is_stopping = self._connections.is_draining = True
        log.info("ingress stopping", in_s=self._delay_s)
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._delay_s, super().handle_exit, sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """End connections that are past their time, once a second; uvicorn calls it ten times as often."""
        if counter % 10 == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; for the host ``::`` it takes connections by IPv4 and IPv6.

    :raises OSError: when the port is taken or the host is not one of this machine's.
    """
    is_ipv6 = ":" in host
    return socket.create_server(
        (host, port),
        family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
        backlog=2048,
        dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
    )


def main() -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP, answer the requests in flight, and return the exit code."""
    settings = load_or_exit(start_faults)
    try:
        listening = listen(settings.host, settings.port)
    except OSError as exc:
        sys.stderr.write(
            f"Cannot listen on {settings.host}:{settings.port} (HOOKYARD_HOST, HOOKYARD_PORT): "
            f"{exc.strerror or exc}\n"
        )
        return 1
    logs.configure("ingress", level=settings.log_level, log_format=settings.log_format)
    metrics = IngressMetrics()
    connections = Connections(
        most=most_connections(settings.max_connections),
        keep_alive_s=settings.keep_alive_s,
        refused=metrics.refused,
    )
    stopping: list[Server] = []
    app = create_app(
        settings, metrics=metrics, is_stopping=lambda: any(server.is_stopping for server in stopping)
    )
    server = Server(
        uvicorn.Config(
            app,
            http=protocol(connections),  # type: ignore[arg-type]  # any callable that returns one will do
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the client's address decides nothing: GitLab authenticates itself
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        connections=connections,
        delay_s=settings.shutdown_delay_s,
    )
    stopping.append(server)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit_zero)
    drain_on_hangup()
    freeze_startup_objects()
    server.run(sockets=[listening])
    return 0 if server.started else 1


def _exit_zero(_number: int, _frame: FrameType | None) -> NoReturn:
    """Exit with 0: uvicorn raises the signal that stopped it again when everything is answered."""
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
