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
    """Calls *flush* with all items that wait, one call at a time, in order of arrival.

    An item whose caller is cancelled before its turn is not sent; one that is under way may arrive.

    :param flush: takes items, gives one answer each, in the same order. What it raises reaches
        everybody in that batch, and nobody else.
    :param max_items: most items of one call, so that one call never holds Redis up for long.
    :param size: an item's weight in bytes; a call carries *max_bytes* of them at most, or one item.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        max_items: int = 256,
        size: Callable[[Item], int] | None = None,
        max_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._size = size
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._flusher: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Answer:
        """Return *flush*'s answer for *item*, or raise what it raised for the batch."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._run(), name="group-commit")
        return await future

    async def _run(self) -> None:
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        try:
            while batch := self._next_batch():
                try:
                    answers = await self._flush([item for item, _ in batch])
                    answered = list(zip(batch, answers, strict=True))
                except Exception as exc:  # noqa: BLE001 - handed on to those who wait
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(exc)
                else:
                    for (_, future), answer in answered:
                        if not future.done():  # its caller may have been cancelled
                            future.set_result(answer)
        finally:
            self._flusher = None
            for _, future in (*batch, *self._waiting):  # only when this task itself was cancelled
                future.cancel()
            self._waiting.clear()

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
