"""A worker's ``/metrics`` and ``/health``, on a port of its own, from threads of their own.

Threads, because a handler that blocks the event loop is just what one wants to be told of.
"""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final

import structlog

from hookyard.telemetry.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger("worker")

_PATIENCE_S: Final = 5.0
_TEXT: Final = "text/plain; charset=utf-8"


class MetricsServer:
    """Serves until ``stop``.

    :param text: gives what a scrape shows; called in a thread.
    :param fault: gives why this worker is not well, or ``None``; called in a thread.
    """

    def __init__(self, *, text: Callable[[], bytes], fault: Callable[[], str | None]) -> None:
        self._text = text
        self._fault = fault
        self._server: ThreadingHTTPServer | None = None

    def start(self, host: str, port: int) -> None:
        """Listen there. A port that is taken costs a worker its metrics, not its deliveries."""
        try:
            self._server = _server(self, host, port)
        except OSError as exc:
            log.error(
                "no /metrics and /health of this worker: cannot listen",
                host=host,
                port=port,
                error=exc.strerror or str(exc),
                hint="give each worker on one machine a HOOKYARD_METRICS_PORT of its own, or 0 for none",
            )
            return
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        log.info("metrics", host=host, port=self._server.server_port)

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, content type and body for a GET of *path*."""
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE, self._text()
            case "/health":
                fault = self._fault()
                status = HTTPStatus.SERVICE_UNAVAILABLE if fault else HTTPStatus.OK
                return status, _TEXT, f"{fault or 'ok'}\n".encode()
            case _:
                return HTTPStatus.NOT_FOUND, _TEXT, b"there are /metrics and /health\n"


def _server(metrics: MetricsServer, host: str, port: int) -> ThreadingHTTPServer:
    class Answering(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S  # for who connects and says nothing

        def do_GET(self) -> None:
            status, content_type, body = metrics.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: one line per scrape helps nobody."""

    class Listening(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            """Listen without asking who we are: http.server looks our name up, which may take long."""
            TCPServer.server_bind(self)
            self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

        def handle_error(self, *_request: object) -> None:
            """Say nothing of a client that went away."""

    return Listening((host, port), Answering)
