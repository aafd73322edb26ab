"""The spool's file: an SQLite database in WAL mode with ``synchronous=FULL``, bounded in size.

Each row has a checksum, since SQLite has none on its pages; a row that does not fit is moved to
``set_aside``. A file that SQLite itself cannot read is renamed, and what can still be read of it
goes into a new one. Deleting from a database takes room as well, so a ballast file keeps some for
the day when the disk is full. Blocking; to be used from one thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

log = structlog.get_logger("ingress")

FILE: Final = "spool.sqlite3"
PAGE_BYTES: Final = 4096
_BUSY_S: Final = 0.8  # another process's fsync; an answer is due within 2 s
_WAL_BYTES: Final = 32 * 1024 * 1024
_CHECKSUM_BYTES: Final = 16
BALLAST: Final = "ballast"
_BALLAST_BYTES: Final = 2 * 1024 * 1024
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spooled (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    record BLOB NOT NULL,
    checksum BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS set_aside (place INTEGER, id, record, checksum, reason TEXT NOT NULL);
"""

Returned = TypeVar("Returned")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One spooled delivery, as the file gives it; ``place`` gives the order of arrival."""

    place: int
    delivery_id: str
    record: bytes
    checksum: bytes

    def is_whole(self) -> bool:
        """Return whether it is as it was written."""
        return self.checksum == _checksum(self.delivery_id, self.record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """How full the spool is. ``waiting`` counts gaps as well, so it may be a little high."""

    waiting: int
    used_bytes: int
    max_bytes: int


class SpoolFile:
    """The file in *directory*. Every method raises ``sqlite3.Error`` or ``OSError`` when the disk fails."""

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._directory = directory
        self._path = directory / FILE
        self._max_bytes = max_bytes
        self._database: sqlite3.Connection | None = None
        self._inode = 0

    def open(self) -> None:
        """Open the file, or make it, and prove that it can be written."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._do(lambda database: database.executescript("BEGIN IMMEDIATE; COMMIT;"))
        self._take_ballast()

    def close(self) -> None:
        """Close it."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def insert(self, batch: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Write pairs of id and record in one transaction; gives for each whether its id was new."""

        def write(database: sqlite3.Connection) -> list[bool]:
            with _transaction(database):
                return [
                    database.execute(
                        "INSERT OR IGNORE INTO spooled (id, record, checksum) VALUES (?, ?, ?)",
                        (delivery_id, record, _checksum(delivery_id, record)),
                    ).rowcount
                    == 1
                    for delivery_id, record in batch
                ]

        return self._do(write)

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

        return self._do(read)

    def remove(self, places: Sequence[int]) -> None:
        """Forget these rows."""

        def delete(database: sqlite3.Connection) -> None:
            with _transaction(database):
                database.executemany("DELETE FROM spooled WHERE place = ?", [(place,) for place in places])

        if places:
            self._do_with_ballast(delete)

    def set_aside(self, place: int, reason: str) -> None:
        """Take a damaged row out of the way, without throwing it away."""

        def move(database: sqlite3.Connection) -> None:
            with _transaction(database):
                database.execute(
                    "INSERT INTO set_aside SELECT place, id, record, checksum, ? FROM spooled "
                    "WHERE place = ?",
                    (reason, place),
                )
                database.execute("DELETE FROM spooled WHERE place = ?", (place,))

        self._do_with_ballast(move)

    def give_back(self) -> None:
        """Give the disk back what an emptied spool no longer needs."""

        def shrink(database: sqlite3.Connection) -> None:
            if database.execute("SELECT 1 FROM spooled LIMIT 1").fetchone() is None:
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        self._do_with_ballast(shrink)
        self._take_ballast()

    def depth(self) -> Depth:
        """Return how full it is."""

        def read(database: sqlite3.Connection) -> Depth:
            first, last = database.execute("SELECT MIN(place), MAX(place) FROM spooled").fetchone()
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            (free,) = database.execute("PRAGMA freelist_count").fetchone()
            return Depth(
                waiting=0 if first is None else last - first + 1,
                used_bytes=(pages - free) * PAGE_BYTES,
                max_bytes=self._max_bytes,
            )

        return self._do(read)

    # --- connection and damage ------------------------------------------------------------------

    def _do(self, work: Callable[[sqlite3.Connection], Returned]) -> Returned:
        """Do *work* on the file that is there now; a file that cannot be read is replaced, once."""
        try:
            return work(self._connected())
        except sqlite3.DatabaseError as exc:
            if not _is_damage(exc):
                raise
            self.close()
            self._replace(str(exc))
        return work(self._connected())

    def _do_with_ballast(self, work: Callable[[sqlite3.Connection], Returned]) -> Returned:
        """Do *work* that must succeed on a full disk, too, since it ends in less being on it."""
        try:
            return self._do(work)
        except sqlite3.OperationalError:
            ballast = self._directory / BALLAST
            if not ballast.exists():
                raise
            log.warning("the spool's disk is full; its ballast is dropped", directory=str(self._directory))
            ballast.unlink(missing_ok=True)
            return self._do(work)

    def _take_ballast(self) -> None:
        """Make the ballast file where there is room for it."""
        ballast = self._directory / BALLAST
        if ballast.exists():
            return
        trial = self._directory / f"{BALLAST}-{os.getpid()}"
        try:
            with trial.open("wb") as file:
                file.write(bytes(_BALLAST_BYTES))
                file.flush()
                os.fsync(file.fileno())
            trial.replace(ballast)
        except OSError:
            trial.unlink(missing_ok=True)

    def _connected(self) -> sqlite3.Connection:
        """Return the connection; a new one when another process has replaced the file."""
        with contextlib.suppress(FileNotFoundError):
            if self._database is not None and self._path.stat().st_ino == self._inode:
                return self._database
        self.close()
        database = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            database.execute(f"PRAGMA page_size={PAGE_BYTES}")
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            # Debian's SQLite overwrites what is deleted, which takes as much room again
            database.execute("PRAGMA secure_delete=FAST")
            database.execute(f"PRAGMA max_page_count={max(16, self._max_bytes // PAGE_BYTES)}")
            database.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        self._path.chmod(0o600)
        self._inode = self._path.stat().st_ino
        self._database = database
        return database

    def _replace(self, why: str) -> None:
        """Rename a file that SQLite cannot read, and take over what can still be read of it."""
        aside = self._path.with_name(f"{FILE}.damaged-{time.time_ns()}")
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(FILE + ending).replace(aside.with_name(aside.name + ending))
        rows = _salvage(aside)
        log.error(
            "the spool's file is damaged and set aside", why=why, file=str(aside), deliveries_saved=len(rows)
        )
        if rows:
            database = self._connected()
            with _transaction(database):
                database.executemany("INSERT OR IGNORE INTO spooled VALUES (?, ?, ?, ?)", rows)


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction; on the disk when it ends, undone when anything is raised."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def _salvage(path: Path) -> list[tuple[object, ...]]:
    """Return the rows of a damaged file that can be read, one by one."""
    rows: list[tuple[object, ...]] = []
    try:
        database = sqlite3.connect(path)
    except sqlite3.Error:
        return rows
    with contextlib.closing(database):
        try:
            first, last = database.execute("SELECT MIN(place), MAX(place) FROM spooled").fetchone()
        except sqlite3.Error:
            return rows
        for place in range(first or 0, (last or -1) + 1):
            with contextlib.suppress(sqlite3.Error):
                rows += database.execute(
                    "SELECT place, id, record, checksum FROM spooled WHERE place = ?", (place,)
                ).fetchall()
    return rows


def _is_damage(exc: sqlite3.DatabaseError) -> bool:
    return getattr(exc, "sqlite_errorcode", None) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _checksum(delivery_id: str, record: bytes) -> bytes:
    return hashlib.blake2b(delivery_id.encode() + b"\0" + record, digest_size=_CHECKSUM_BYTES).digest()
