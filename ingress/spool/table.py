"""The spool's table: one row per delivery, in order of arrival.

Each row has a checksum, since SQLite has none on its pages; a row whose checksum does not match is moved
to ``set_aside``. Blocking; to be used from one thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from ingress.spool.ballast import Ballast
from ingress.spool.database import PAGE_BYTES, Database, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_CHECKSUM_BYTES: Final = 16

Returned = TypeVar("Returned")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One spooled delivery as it was read; ``place`` gives the order of arrival."""

    place: int
    delivery_id: str
    record: bytes
    checksum: bytes

    def is_whole(self) -> bool:
        """Return whether the checksum matches."""
        return self.checksum == _checksum(self.delivery_id, self.record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """The fill level of the spool. ``waiting`` counts gaps as well, so it may be slightly high."""

    waiting: int
    used_bytes: int
    max_bytes: int


class SpoolTable:
    """The table in *directory*. Every method raises ``sqlite3.Error`` or ``OSError`` when the disk fails."""

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._database = Database(directory, max_bytes=max_bytes)
        self._ballast = Ballast(directory)

    def open(self) -> None:
        """Open the file, or create it, and prove that it can be written."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database.run(lambda database: database.executescript("BEGIN IMMEDIATE; COMMIT;"))
        self._ballast.lay_up()

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def insert(self, batch: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Write pairs of id and record in one transaction; return for each whether its id was new."""

        def write(database: sqlite3.Connection) -> list[bool]:
            with transaction(database):
                return [
                    database.execute(
                        "INSERT OR IGNORE INTO spooled (id, record, checksum) VALUES (?, ?, ?)",
                        (delivery_id, record, _checksum(delivery_id, record)),
                    ).rowcount
                    == 1
                    for delivery_id, record in batch
                ]

        return self._database.run(write)

    def oldest(self, most: int, most_bytes: int) -> list[Row]:
        """Return up to *most* rows and about *most_bytes* of records, the oldest first; at least one."""

        def read(database: sqlite3.Connection) -> list[Row]:
            rows: list[Row] = []
            size = 0
            cursor = database.execute(
                "SELECT place, id, record, checksum FROM spooled ORDER BY place LIMIT ?", (most,)
            )
            with contextlib.closing(cursor):
                for place, delivery_id, record, checksum in cursor:
                    size += len(record)
                    if rows and size > most_bytes:
                        break
                    rows.append(Row(place=place, delivery_id=delivery_id, record=record, checksum=checksum))
            return rows

        return self._database.run(read)

    def remove(self, places: Sequence[int]) -> None:
        """Delete these rows."""

        def delete(database: sqlite3.Connection) -> None:
            with transaction(database):
                database.executemany("DELETE FROM spooled WHERE place = ?", [(place,) for place in places])

        if places:
            self._run_with_ballast(delete)

    def set_aside(self, place: int, reason: str) -> None:
        """Move a damaged row out of the way; it is kept."""

        def move(database: sqlite3.Connection) -> None:
            with transaction(database):
                database.execute(
                    "INSERT INTO set_aside SELECT place, id, record, checksum, ? FROM spooled "
                    "WHERE place = ?",
                    (reason, place),
                )
                database.execute("DELETE FROM spooled WHERE place = ?", (place,))

        self._run_with_ballast(move)

    def give_back(self) -> None:
        """Return unused space of an empty spool to the disk."""

        def shrink(database: sqlite3.Connection) -> None:
            if database.execute("SELECT 1 FROM spooled LIMIT 1").fetchone() is None:
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        self._run_with_ballast(shrink)
        self._ballast.lay_up()

    def depth(self) -> Depth:
        """Return the fill level."""

        def read(database: sqlite3.Connection) -> Depth:
            first, last = database.execute("SELECT MIN(place), MAX(place) FROM spooled").fetchone()
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            (free,) = database.execute("PRAGMA freelist_count").fetchone()
            return Depth(
                waiting=0 if first is None else last - first + 1,
                used_bytes=(pages - free) * PAGE_BYTES,
                max_bytes=self._max_bytes,
            )

        return self._database.run(read)

    def _run_with_ballast(self, work: Callable[[sqlite3.Connection], Returned]) -> Returned:
        """Do *work* that must succeed on a full disk as well, since it frees space in the end."""
        try:
            return self._database.run(work)
        except sqlite3.OperationalError:
            if not self._ballast.drop():
                raise
            return self._database.run(work)


def _checksum(delivery_id: str, record: bytes) -> bytes:
    return hashlib.blake2b(delivery_id.encode() + b"\0" + record, digest_size=_CHECKSUM_BYTES).digest()
