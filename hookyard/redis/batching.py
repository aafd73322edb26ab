"""How commands that wait at the same moment travel to Redis together (group commit).

While one batch is under way, further items collect; they go as the next batch. A lone item waits
for nobody. The price of a round trip, and of an fsync, is shared by all who wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hookyard.redis.pipeline import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from hookyard.redis.pipeline import Done

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Calls *flush* with all items that wait, in order of arrival.

    An item whose caller is cancelled before its turn is not sent; one that is under way may arrive.

    :param flush: takes items, and what to call with one answer for each, in the same order, or with the
        error that came instead. That reaches everybody in that batch, and nobody else unless *ends_all*
        says so. An answer of 1 is ``True`` to who waits.
    :param max_items: most items of one call, so that one call never holds Redis up for long.
    :param size: an item's weight in bytes; a call carries *max_bytes* of them at most, or one item.
    :param worth_another: when so many wait, a further call goes while others are under way, so that
        this process and Redis are busy at the same time; 0 for one call at a time.
    :param most: so many calls are under way at a time, if *worth_another*.
    :param ends_all: whether who waits by then would only meet the same error, and is told at once.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item], Done], None],
        *,
        max_items: int = 256,
        size: Callable[[Item], int] | None = None,
        max_bytes: int = 4 * 1024 * 1024,
        worth_another: int = 0,
        most: int = 1,
        ends_all: Callable[[BaseException], bool] = lambda _exc: False,
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._size = size
        self._max_bytes = max_bytes
        self._worth_another = worth_another or max_items
        self._most = most
        self._ends_all = ends_all
        self._waiting: deque[tuple[Item, asyncio.Future[bool]]] = deque()
        self._under_way = 0
        self._goes_soon = False

    def __call__(self, item: Item) -> asyncio.Future[bool]:
        """Give *flush*'s answer for *item* to who awaits this, or what it raised for the batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._worth_another and self._under_way < self._most:
            self._go()
        elif not self._under_way and not self._goes_soon:  # with who comes in the same turn of the loop
            self._goes_soon = True
            loop.call_soon(self._go_first)
        return future

    def _go_first(self) -> None:
        self._goes_soon = False
        if not self._under_way:
            self._go()

    def _go(self) -> None:
        """Send the next batch."""
        batch = self._next_batch()
        if not batch:
            return
        self._under_way += 1
        landed = partial(self._landed, batch)
        try:
            self._flush([item for item, _ in batch], landed)
        except Exception as exc:  # noqa: BLE001 - handed on to those who wait
            landed(None, exc)

    def _landed(
        self, batch: list[tuple[Item, asyncio.Future[bool]]], answers: Any, error: BaseException | None
    ) -> None:
        """Tell everybody in a batch what came of it, and send the next."""
        self._under_way -= 1
        if error is None and len(answers) != len(batch):
            error = ValueError(f"{len(answers)} answers for {len(batch)} items")
        if error is None:
            for (_, future), answer in zip(batch, answers, strict=True):
                tell(future, answer == 1, None)
        else:
            if self._ends_all(error):
                batch += self._waiting
                self._waiting.clear()
            for _, future in batch:
                tell(future, None, error)
        if self._waiting and (not self._under_way or len(self._waiting) >= self._worth_another):
            self._go()

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[bool]]]:
        """Return who goes next; what nobody waits for any more is dropped."""
        batch: list[tuple[Item, asyncio.Future[bool]]] = []
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


def awaited(
    flush: Callable[[Sequence[Item]], Coroutine[Any, Any, Any]],
) -> Callable[[Sequence[Item], Done], None]:
    """Return what :class:`GroupCommit` calls, for a *flush* that is awaited."""
    under_way: set[asyncio.Task[None]] = set()

    async def carry(items: Sequence[Item], done: Done) -> None:
        try:
            answers = await flush(items)
        except BaseException as exc:
            done(None, exc)
            if not isinstance(exc, Exception):
                raise
        else:
            done(answers, None)

    def start(items: Sequence[Item], done: Done) -> None:
        task = asyncio.get_running_loop().create_task(carry(items, done), name="group-commit")
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    return start
