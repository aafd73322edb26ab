"""Hookyard's workers, ``BENCH_WORKERS`` of them in one process, each with slots of its own."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from bench.contenders.given import router
from hookyard.settings.settings import load_or_exit
from hookyard.telemetry import logs
from worker.app import make_engine, make_parts


async def main() -> None:
    """Run until SIGTERM."""
    settings, bot = load_or_exit(), router()
    logs.configure("worker", level=settings.log_level, log_format=settings.log_format)
    parts, engines = [], []
    for number in range(int(os.environ["BENCH_WORKERS"])):
        name = f"worker-{number}"
        parts.append(make_parts(settings, bot, name=name))
        engines.append(make_engine(settings, parts[-1], name=name, handle_signals=False))
    tasks = [asyncio.create_task(engine.async_run()) for engine in engines]
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await asyncio.gather(*(engine.close() for engine in engines))
    await asyncio.gather(*tasks, return_exceptions=True)
    for each in parts:
        await each.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
