"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Any | Awaitable[Any]], *, within_s: float = 60.0) -> Any:
    """Wait until *condition* returns something true, and return that; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within_s} s: {condition}")
        await asyncio.sleep(0.01)
