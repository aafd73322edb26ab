"""Run one worker process in the foreground; ``hookyard worker`` starts it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import uvloop

from hookyard.host.invoke import log_context
from hookyard.host.routing import load_router_or_exit
from hookyard.settings.settings import load_or_exit, worker_faults
from hookyard.startup import drain_on_hangup, freeze_startup_objects
from hookyard.telemetry import logs
from worker.app import serve

_RECURSION_LIMIT = 5_000
"""Above Python's own 1,000, so that JSON which an ingress could parse is never too deep for a worker."""


def main() -> int:
    """Run until SIGTERM, SIGINT or SIGHUP, let running handlers finish, and return the exit code."""
    settings = load_or_exit(worker_faults)
    logs.configure("worker", level=settings.log_level, log_format=settings.log_format, context=log_context)
    router = load_router_or_exit(settings.handlers)
    drain_on_hangup()
    sys.setrecursionlimit(_RECURSION_LIMIT)
    freeze_startup_objects()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, router, burst=settings.burst))
    if any(thread.name.startswith("handler") for thread in threading.enumerate()):
        # a plain `def` handler outlived the drain; Python would wait for it for ever
        logs.get_logger("worker").warning("handler thread still running at exit, abandoned")
        sys.stderr.flush()
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
