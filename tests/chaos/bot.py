"""The bot of chaos and trials: each delivery has two handlers, of which the second does what it says.

Pushes have two coroutines, tags a coroutine and a plain function. Every attempt is written to ``runs.log``:
id, handler, what, when (monotonic clock, ms: the time of day may be wrong on purpose), process, worker,
number of the attempt, and for ``overlaps`` the process and worker that still run an earlier one. What fails
is decided by the delivery and the attempt's number, so that a seed gives the same run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import math
import os
import re
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gidgetlab.routing import Router

from hookyard import current_delivery, policy

if TYPE_CHECKING:
    from collections.abc import Iterator

router = Router()
_register: Any = router.register  # gidgetlab's types know coroutines only
_log = os.open("runs.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_locks: Final = Path("locks")
_locks.mkdir(exist_ok=True)
# a host's worker is its parent; stock arq runs handlers in its own process
_worker: Final = os.getpid() if "arq" in Path(sys.argv[0]).parts else os.getppid()

HOG_BYTES: Final = 4 * 1024**3
"""A memory hog stops here, should no limit end it before."""

_CHUNK: Final = 16 * 1024**2
_GIL_NUMBERS: Final = int(os.environ.get("CHAOS_GIL_NUMBERS", "100_000_000"))


def _write(what: str, *more: object) -> None:
    running = current_delivery()
    name = running.handler.rpartition(":")[2]
    words = (running.id, name, what, time.monotonic_ns() // 1_000_000, os.getpid(), _worker, running.attempt)
    os.write(_log, (" ".join(map(str, (*words, *more))) + "\n").encode())  # one write: lines do not mix


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Write when an attempt starts and ends, and whether another of the same handler still runs.

    The lock is the kernel's: it goes when the file is closed or the process is dead.
    """
    running = current_delivery()
    lock = os.open(
        _locks / f"{running.id}-{running.handler.rpartition(':')[2]}", os.O_RDWR | os.O_CREAT, 0o600
    )
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _write("overlaps", os.pread(lock, 50, 0).decode().strip() or "? ?")
        else:
            os.pwrite(lock, f"{os.getpid()} {_worker}".ljust(40).encode(), 0)
        _write("start")
        try:
            yield
        except BaseException:
            _write("fail")
            raise
        _write("end")
    finally:
        os.close(lock)


def _chance() -> float:
    """From 0 up to 1, the same for the same attempt at the same delivery."""
    running = current_delivery()
    return zlib.crc32(f"{running.id}/{running.handler}/{running.attempt}".encode()) / 2**32


@router.register("Push Hook")
@router.register("Tag Push Hook")
async def first(event: Any, gl: Any) -> None:
    """Succeed, but for one attempt in ten."""
    with _written():
        if _chance() < 0.1 and "innocent" not in event.data["kind"]:
            raise ValueError("by chance")


@router.register("Push Hook")
@policy(timeout=150)
async def second(event: Any, gl: Any) -> None:
    """Do what the delivery says."""
    with _written():
        kind = event.data["kind"]
        if kind == "fails" and _chance() < 0.5:
            raise ValueError("by chance")
        if kind == "fails always":
            raise ValueError("as it says")
        if kind == "sleeps":
            await asyncio.sleep(_chance() * 2)
        if kind == "innocent":
            await asyncio.sleep(event.data["seconds"])
        if kind == "blocks":
            time.sleep(_chance() * 0.2)  # noqa: ASYNC251 - what it is for
        if kind == "exits":
            os._exit(9)
        if kind == "segfaults":
            ctypes.string_at(0)
        if kind == "hogs":
            await _hog()


async def _hog() -> None:
    taken: list[bytes] = []
    while len(taken) * _CHUNK < HOG_BYTES:
        taken.append(b"\1" * _CHUNK)
        await asyncio.sleep(0.01)


@_register("Tag Push Hook")
@policy(timeout=60)
def plain(event: Any, gl: Any) -> None:
    """Do what the delivery says, in a thread."""
    with _written():
        kind = event.data["kind"]
        if kind == "plain fails" and _chance() < 0.5:
            raise ValueError("by chance")
        if kind == "plain sleeps":
            time.sleep(_chance() * 2)
        if kind == "plain innocent":
            time.sleep(event.data["seconds"])
        if kind == "regex":
            _match_for(event.data["seconds"])
        if kind == "holds the lock":
            sum(range(_GIL_NUMBERS))  # one call in C: no other thread of the process runs meanwhile


def _match_for(seconds: float) -> None:
    """Hold the interpreter lock, by one call of a regular expression, for so long or up to twice that."""
    length, began = 20, time.thread_time()
    re.match("^(a+)+$", "a" * length + "b")
    took_s = time.thread_time() - began
    re.match("^(a+)+$", "a" * (length + math.ceil(math.log2(seconds / took_s))) + "b")


@_register("Note Hook")
@policy(timeout=1.5, max_attempts=2)
def hangs(event: Any, gl: Any) -> None:
    """Hang for longer than its time-out: its host is killed."""
    with _written():
        time.sleep(600)
