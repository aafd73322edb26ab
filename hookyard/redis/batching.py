"""Group commit: what waits at the same moment travels to Redis, or to the disk, together.

While one batch is in flight, further items collect and go as the next batch. A lone item does not
wait. All callers in a batch share the price of one round trip or one fsync.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hookyard.redis.futures import Kept, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from hookyard.redis.futures import OnResult

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Calls *flush* with all waiting items, in order of arrival.

    An item whose caller is cancelled before its turn is not sent; one that is in flight may arrive.

    :param flush: takes items and a callback for the list of their answers, in the same order, or for the
        error that came instead. An error reaches every caller in that batch, and no other unless
        *fails_all* says so. Callers get ``True`` for an answer of 1.
    :param max_items: most items of one batch, so that one call never holds Redis up for long.
    :param max_bytes: most bytes of one batch, as given with the items; a larger item goes alone.
    :param min_for_another: when this many items wait, a further batch goes while others are in flight, so
        that this process and Redis work at the same time; 0 for one batch at a time.
    :param max_in_flight: most batches in flight at a time, with *min_for_another*.
    :param is_kept: an item goes even if its caller is cancelled, who hears of that only afterwards.
    :param fails_all: whether an error would only be repeated for items still waiting; these fail at once.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item], OnResult], None],
        *,
        max_items: int = 256,
        max_bytes: int = 4 * 1024 * 1024,
        min_for_another: int = 0,
        max_in_flight: int = 1,
        fails_all: Callable[[BaseException], bool] = lambda _exc: False,
        is_kept: bool = False,
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._min_for_another = min_for_another or max_items
        self._max_in_flight = max_in_flight
        self._fails_all = fails_all
        self._is_kept = is_kept
        self._waiting: deque[tuple[Item, int, asyncio.Future[bool]]] = deque()
        self._in_flight = 0
        self._is_scheduled = False

    def __call__(self, item: Item, *, size: int = 0) -> asyncio.Future[bool]:
        """Return a future of *flush*'s answer for *item*, or of the error of its batch.

        :param size: the item's weight in bytes.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = Kept(loop=loop) if self._is_kept else loop.create_future()
        self._waiting.append((item, size, future))
        if len(self._waiting) >= self._min_for_another and self._in_flight < self._max_in_flight:
            self._send_next()
        elif not self._in_flight and not self._is_scheduled:  # with others of the same turn of the loop
            self._is_scheduled = True
            loop.call_soon(self._send_first)
        return future

    def _send_first(self) -> None:
        self._is_scheduled = False
        if not self._in_flight:
            self._send_next()

    def _send_next(self) -> None:
        items, futures = self._next_batch()
        if not items:
            return
        self._in_flight += 1
        on_result = partial(self._on_result, futures)
        try:
            self._flush(items, on_result)
        except Exception as exc:  # noqa: BLE001 - handed on to the callers of this batch
            on_result(None, exc)

    def _on_result(
        self, futures: list[asyncio.Future[bool]], answers: Any, error: BaseException | None
    ) -> None:
        """Give each caller in a batch its result, and send the next batch."""
        self._in_flight -= 1
        if error is None and len(answers) != len(futures):
            error = ValueError(f"{len(answers)} answers for {len(futures)} items")
        if error is None:
            for future, answer in zip(futures, answers, strict=True):
                if not future.done():
                    future.set_result(answer == 1)
        else:
            if self._fails_all(error):
                futures += [future for _, _, future in self._waiting]
                self._waiting.clear()
            for future in futures:
                resolve(future, None, error)
        if self._waiting and (not self._in_flight or len(self._waiting) >= self._min_for_another):
            self._send_next()

    def _next_batch(self) -> tuple[list[Item], list[asyncio.Future[bool]]]:
        """Return the items that go next and their futures, without those whose callers were cancelled."""
        items: list[Item] = []
        futures: list[asyncio.Future[bool]] = []
        total = 0
        while self._waiting and len(items) < self._max_items:
            item, size, future = self._waiting[0]
            if not future.done():
                total += size
                if items and total > self._max_bytes:
                    break
                items.append(item)
                futures.append(future)
            self._waiting.popleft()
        return items, futures


def awaited(
    flush: Callable[[Sequence[Item]], Coroutine[Any, Any, Any]],
) -> Callable[[Sequence[Item], OnResult], None]:
    """Return what :class:`GroupCommit` calls, for a *flush* that is a coroutine function."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(items: Sequence[Item], on_result: OnResult) -> None:
        try:
            answers = await flush(items)
        except BaseException as exc:
            on_result(None, exc)
            if not isinstance(exc, Exception):
                raise
        else:
            on_result(answers, None)

    def start(items: Sequence[Item], on_result: OnResult) -> None:
        task = asyncio.get_running_loop().create_task(run(items, on_result), name="group-commit")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return start
