"""The spool's database file: SQLite in WAL mode with ``synchronous=FULL``, bounded in size.

A file that SQLite cannot read is renamed, and the rows that can still be read go into a new one.
Blocking; to be used from one thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = structlog.get_logger("ingress")

FILE: Final = "spool.sqlite3"
PAGE_BYTES: Final = 4096
_BUSY_S: Final = 0.8  # another process's fsync; an answer is due within 2 s
_WAL_BYTES: Final = 32 * 1024 * 1024
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


class Database:
    """The file in *directory*. Every method raises ``sqlite3.Error`` or ``OSError`` when the disk fails."""

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._path = directory / FILE
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, work: Callable[[sqlite3.Connection], Returned]) -> Returned:
        """Return the result of *work* on the present file; an unreadable file is replaced, once."""
        try:
            return work(self._connected())
        except sqlite3.DatabaseError as exc:
            if not _is_damage(exc):
                raise
            self.close()
            self._replace(str(exc))
        return work(self._connected())

    def _connected(self) -> sqlite3.Connection:
        """Return the connection, a new one if another process has replaced the file."""
        with contextlib.suppress(FileNotFoundError):
            if self._connection is not None and self._path.stat().st_ino == self._inode:
                return self._connection
        self.close()
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            # Debian's SQLite overwrites what is deleted, which takes as much room again
            connection.execute("PRAGMA secure_delete=FAST")
            connection.execute(f"PRAGMA max_page_count={max(16, self._max_bytes // PAGE_BYTES)}")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._path.chmod(0o600)
        self._inode = self._path.stat().st_ino
        self._connection = connection
        return connection

    def _replace(self, why: str) -> None:
        """Rename a file that SQLite cannot read, and copy the readable rows into a new one."""
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
            with transaction(database):
                database.executemany("INSERT OR IGNORE INTO spooled VALUES (?, ?, ?, ?)", rows)


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Run a transaction: on the disk when the block ends, rolled back when it raises."""
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
