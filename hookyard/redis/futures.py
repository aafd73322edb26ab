"""Results that arrive by callback, and the futures that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

OnResult = Callable[[Any, BaseException | None], None]
"""Called once, with a result or with the error that came instead of one."""


def resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give *future* its result or error, unless it is done already because its waiter was cancelled."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)
