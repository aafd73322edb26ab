"""Hookyard's workers, ``BENCH_WORKERS`` of them in one process, each with slots of its own."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from bench.contenders.given import router
from hookyard.settings.settings import load_or_exit
from hookyard.telemetry import logs
from worker.app import make_parts, make_supervisor


async def main() -> None:
    """Run until SIGTERM."""
    settings, bot = load_or_exit(), router()
    logs.configure("worker", level=settings.log_level, log_format=settings.log_format)
    supervisors = []
    for number in range(int(os.environ["BENCH_WORKERS"])):
        parts = make_parts(settings, name=f"worker-{number}", router=bot)
        supervisors.append(make_supervisor(settings, parts, handle_signals=False))
    tasks = [asyncio.create_task(supervisor.async_run()) for supervisor in supervisors]
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await asyncio.gather(*(supervisor.close() for supervisor in supervisors))
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
