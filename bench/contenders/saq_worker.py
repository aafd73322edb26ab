"""SAQ's worker: as many jobs at once as it is given slots, on uvloop."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from gidgetlab.sansio import Event
from saq import Queue, Worker  # type: ignore[import-not-found,unused-ignore]  # installed for the bench alone

from bench.contenders.given import REDIS_URL, SLOTS, configure_logs, router

bot = router()


async def handle(_ctx: Any, *, name: str, data: Any) -> None:
    """Run the handlers."""
    await bot.dispatch(Event(data, event=name), None)


async def main() -> None:
    """Run until a signal."""
    queue = Queue.from_url(REDIS_URL)
    await Worker(queue, functions=[("handle", handle)], concurrency=SLOTS).start()
    await queue.disconnect()


if __name__ == "__main__":
    configure_logs()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
