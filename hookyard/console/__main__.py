"""Run one console process in the foreground; ``hookyard console`` starts it."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

import uvicorn

from hookyard.console.app import create_app
from hookyard.console.services import console_faults
from hookyard.settings.settings import load_or_exit
from hookyard.startup import drain_on_hangup
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

GRACE_S: Final = 3
"""Time limit for answering requests in flight; streams of changes end with it."""


def main() -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP, and return the exit code."""
    settings = load_or_exit(console_faults)
    is_ipv6 = ":" in settings.host
    try:
        listening = socket.create_server(
            (settings.host, settings.console_port),
            family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
            dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
        )
    except OSError as exc:
        sys.stderr.write(
            f"Cannot listen on {settings.host}:{settings.console_port} (HOOKYARD_HOST, "
            f"HOOKYARD_CONSOLE_PORT): {exc.strerror or exc}\n"
        )
        return 1
    logs.configure("console", level=settings.log_level, log_format=settings.log_format)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            proxy_headers=False,  # an address from a header would let anybody choose theirs
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit_zero)
    drain_on_hangup()
    server.run(sockets=[listening])
    return 0 if server.started else 1


def _exit_zero(_number: int, _frame: FrameType | None) -> NoReturn:
    """Exit with 0: uvicorn raises the signal that stopped it again when everything is answered."""
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
