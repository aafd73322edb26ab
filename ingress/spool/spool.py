"""The spool: deliveries on the ingress's own disk while Redis cannot take them, and only until it can.

A delivery is on the disk when ``put`` returns; one fsync serves all that wait at the same moment.
Several ingress processes may share the directory. A drained delivery leaves the spool only once Redis
has it; a crash in between drains it twice, which is harmless, as its id is known by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import structlog

from hookyard.ledger.codec import pack_body, pack_meta, unpack_delivery
from hookyard.redis.batching import GroupCommit, awaited
from ingress.spool.table import SpoolTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from hookyard.ledger.records import Delivery
    from ingress.spool.table import Depth, Row

log = structlog.get_logger("ingress")

DRAIN_BATCH: Final = 200
DRAIN_BATCH_BYTES: Final = 16 * 1024 * 1024
LOCK: Final = "drain.lock"

Returned = TypeVar("Returned")


class CannotSpool(Exception):
    """The spool is full or its disk fails; the text says which."""


class Spool:
    """The spool in *directory*; ``open`` it before use, ``close`` it after.

    :param max_bytes: the disk space it may use.
    """

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self.directory = directory
        self._table = SpoolTable(directory, max_bytes=max_bytes)
        # one thread: SQLite's connection belongs to it, and the event loop never waits for the disk
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._is_closed = False
        self._putting = GroupCommit(awaited(self._put))

    async def open(self) -> None:
        """Open or create the file.

        :raises CannotSpool: when the directory cannot be written to.
        """
        await self._in_thread(self._table.open)

    async def close(self) -> None:
        """Close it; what waits stays on the disk. A closed spool is not opened again."""
        if not self._is_closed:
            self._is_closed = True
            with contextlib.suppress(CannotSpool):
                await self._in_thread(self._table.close)
            self._thread.shutdown(wait=False)

    async def put(self, delivery: Delivery) -> bool:
        """Write *delivery*; it is on the disk when this returns.

        :returns: ``False`` when one with its id was in the spool already.
        :raises CannotSpool: when it could not be written.
        """
        record = msgspec.msgpack.encode((pack_meta(delivery), pack_body(delivery.body)))
        return await self._putting((delivery.id, record), size=len(record))

    async def depth(self) -> Depth:
        """Return the fill level.

        :raises CannotSpool: when its disk fails.
        """
        return await self._in_thread(self._table.depth)

    async def drain(self, accept: Callable[[Delivery], Awaitable[object]]) -> int:
        """Hand what waits to *accept*, in order of arrival, until nothing waits; return their number.

        Only one process at a time drains a directory; others return 0. An error of *accept* ends the
        drain and is raised.

        :raises CannotSpool: when the disk fails.
        """
        drained = 0
        with self._alone() as alone:
            while alone:
                rows = await self._in_thread(self._table.oldest, DRAIN_BATCH, DRAIN_BATCH_BYTES)
                if not rows:
                    break
                good = []
                for row in rows:
                    try:
                        good.append((row.place, _read(row)))
                    except ValueError as exc:
                        log.error(
                            "a spooled delivery is damaged and set aside", place=row.place, why=str(exc)
                        )
                        await self._in_thread(self._table.set_aside, row.place, str(exc))
                answers = await asyncio.gather(
                    *(accept(delivery) for _, delivery in good), return_exceptions=True
                )
                taken = [
                    place
                    for (place, _), answer in zip(good, answers, strict=True)
                    if not isinstance(answer, BaseException)
                ]
                await self._in_thread(self._table.remove, taken)
                drained += len(taken)
                for answer in answers:
                    if isinstance(answer, BaseException):
                        raise answer
            if drained:
                await self._in_thread(self._table.give_back)
        return drained

    async def _put(self, batch: Sequence[tuple[str, bytes]]) -> list[bool]:
        return await self._in_thread(self._table.insert, batch)

    async def _in_thread(self, work: Callable[..., Returned], *arguments: object) -> Returned:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work, *arguments)
        except (OSError, sqlite3.Error) as exc:
            raise CannotSpool(f"the spool in {self.directory} cannot be used: {exc}") from exc

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Yield whether no other process is draining; the lock ends with the process that holds it.

        :raises CannotSpool: when the lock cannot be opened.
        """
        try:
            lock = os.open(self.directory / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as exc:
            raise CannotSpool(f"the spool in {self.directory} cannot be used: {exc}") from exc
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)


def _read(row: Row) -> Delivery:
    """Return the delivery in *row*.

    :raises ValueError: when it is damaged.
    """
    if not row.is_whole():
        raise ValueError("its checksum does not match")
    meta, body = msgspec.msgpack.decode(row.record)
    return unpack_delivery(row.delivery_id, meta, body)
