"""Results that arrive by callback, and the futures that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

OnResult = Callable[[Any, BaseException | None], None]
"""Called once, with a result or with the error that came instead of one."""


class Kept(asyncio.Future[Any]):
    """A future that cancelling its waiter does not cancel: what it stands for is done all the same.

    The waiter gets its ``CancelledError`` when this is done. ``asyncio.shield`` would have it at once, for
    the price of a second future and two callbacks.
    """

    def cancel(self, msg: Any | None = None) -> bool:
        """Do nothing."""
        del msg
        return False


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
