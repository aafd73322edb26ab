"""Stock arq's worker.

``python -m bench.contenders.arq_worker`` is arq at its best: as many jobs at once as it is given
slots, polling every 10 ms, on uvloop. ``arq bench.contenders.arq_worker.WorkerSettings`` is arq as
it comes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from arq.connections import RedisSettings
from arq.worker import Worker, func
from gidgetlab.sansio import Event

from bench.contenders.given import REDIS_URL, SLOTS, configure_logs, router

bot = router()


async def handle(_ctx: dict[str, Any], name: str, data: Any) -> None:
    """Run the handlers."""
    await bot.dispatch(Event(data, event=name), None)


class WorkerSettings:
    """For the ``arq`` command: its defaults."""

    functions = (handle,)
    redis_settings = RedisSettings.from_dsn(REDIS_URL)


async def main() -> None:
    """Run until a signal."""
    worker = Worker(
        [func(handle, name="handle")],  # type: ignore[arg-type]  # arq's protocol asks for __qualname__
        redis_settings=WorkerSettings.redis_settings,
        max_jobs=SLOTS,
        poll_delay=0.01,
    )
    try:
        await worker.async_run()
    finally:
        await worker.close()


if __name__ == "__main__":
    configure_logs()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
