"""Stock arq's workers, ``BENCH_WORKERS`` of them in one process, each with slots of its own."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop
from arq.worker import Worker, func

from bench.contenders.arq_worker import WorkerSettings, handle
from bench.contenders.given import SLOTS, configure_logs


async def main() -> None:
    """Run until SIGTERM."""
    workers = [
        Worker(
            [func(handle, name="handle")],  # type: ignore[arg-type]  # arq's protocol asks for __qualname__
            redis_settings=WorkerSettings.redis_settings,
            max_jobs=SLOTS,
            poll_delay=0.01,
            handle_signals=False,
        )
        for _ in range(int(os.environ["BENCH_WORKERS"]))
    ]
    tasks = [asyncio.create_task(worker.async_run()) for worker in workers]
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(worker.close() for worker in workers))


if __name__ == "__main__":
    configure_logs()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
