"""Run one worker in the foreground; ``hookyard worker`` starts it.

This process is the supervisor. It never imports the bot: that is for its hosts, the child processes.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from hookyard.settings.settings import load_or_exit, worker_faults
from hookyard.startup import drain_on_hangup, freeze_startup_objects
from hookyard.telemetry import logs
from worker.app import serve
from worker.hosts.handle import BotUnusable


def main() -> int:
    """Run until SIGTERM, SIGINT or SIGHUP, let running handlers finish, and return the exit code."""
    settings = load_or_exit(worker_faults)
    logs.configure("worker", level=settings.log_level, log_format=settings.log_format)
    drain_on_hangup()
    freeze_startup_objects()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, burst=settings.burst))
    except BotUnusable as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
