"""How commands that wait at the same moment travel to Redis together (group commit).

While one batch is under way, further items collect; they go as the next batch. A lone item waits
for nobody. The price of a round trip, and of an fsync, is shared by all who wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Item, Answer]):
    """Calls *flush* with all items that wait, in order of arrival.

    An item whose caller is cancelled before its turn is not sent; one that is under way may arrive.

    :param flush: takes items, gives one answer each, in the same order. What it raises reaches
        everybody in that batch, and nobody else unless *ends_all* says so.
    :param max_items: most items of one call, so that one call never holds Redis up for long.
    :param size: an item's weight in bytes; a call carries *max_bytes* of them at most, or one item.
    :param worth_another: when so many wait, a second call goes while the first is under way, so that
        this process and Redis are busy at the same time; 0 for one call at a time.
    :param ends_all: whether who waits by then would only meet the same error, and is told at once.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        max_items: int = 256,
        size: Callable[[Item], int] | None = None,
        max_bytes: int = 4 * 1024 * 1024,
        worth_another: int = 0,
        ends_all: Callable[[BaseException], bool] = lambda _exc: False,
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._size = size
        self._max_bytes = max_bytes
        self._worth_another = worth_another
        self._ends_all = ends_all
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._flushers: set[asyncio.Task[None]] = set()

    def __call__(self, item: Item) -> asyncio.Future[Answer]:
        """Give *flush*'s answer for *item* to who awaits this, or what it raised for the batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, future))
        under_way = len(self._flushers)
        if not under_way or (under_way == 1 and 0 < self._worth_another <= len(self._waiting)):
            self._flushers.add(loop.create_task(self._run(), name="group-commit"))
        return future

    async def _run(self) -> None:
        this = asyncio.current_task()
        try:
            while batch := self._next_batch():
                await self._carry(batch)
                if len(self._flushers) > 1 and len(self._waiting) < self._worth_another:
                    break  # the other one takes what is left
        except asyncio.CancelledError:
            for _, future in self._waiting:
                future.cancel()
            self._waiting.clear()
            raise
        finally:
            if this is not None:
                self._flushers.discard(this)

    async def _carry(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        """Flush a batch and tell everybody in it what came of it."""
        try:
            answers = await self._flush([item for item, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except Exception as exc:  # noqa: BLE001 - handed on to those who wait
            if self._ends_all(exc):
                batch += self._waiting
                self._waiting.clear()
            for _, future in batch:
                if not future.done():  # its caller may have been cancelled
                    future.set_exception(exc)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        else:
            for (_, future), answer in answered:
                if not future.done():
                    future.set_result(answer)

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        """Return who goes next; what nobody waits for any more is dropped."""
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        size = 0
        while self._waiting and len(batch) < self._max_items:
            item, future = self._waiting[0]
            if not future.done():
                size += self._size(item) if self._size else 0
                if batch and size > self._max_bytes:
                    break
                batch.append((item, future))
            self._waiting.popleft()
        return batch
