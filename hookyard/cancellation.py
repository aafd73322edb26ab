"""Cancellation of a task that may lose one."""

from __future__ import annotations

import asyncio
from typing import Final

_AGAIN_S: Final = 0.1


async def cancel_and_wait(task: asyncio.Task[None]) -> None:
    """Cancel *task* and return once it has ended; raise what it raised.

    One cancellation is not enough for a task that talks to Redis: redis-py calls ``asyncio.wait_for`` in
    every command, which on Python 3.11 loses a cancellation that arrives just as the command is done
    (CPython issue 86296, fixed in 3.12).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_S)
    if not task.cancelled():
        task.result()
