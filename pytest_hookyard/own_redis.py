"""A Redis for one run of pytest, that ends with it however that ends."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hookyard.cli.up.reaper_process import ReaperProcess
from hookyard.redis.embedded import EmbeddedRedis, find_or_fetch_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Nothing of it is to outlive the run, so nothing is written to disk. It tells of changes of hashes, so
# that whoever waits for a delivery hears of them; see running.py.
_OPTIONS: Final = ("--appendonly", "no", "--notify-keyspace-events", "Kh")


@contextmanager
def own_redis(directory: Path) -> Iterator[str]:
    """The URL of a Redis with a socket of its own, inside the block.

    :raises NoRedisServer: when there is no server on this machine, saying how to get one.
    """
    redis = EmbeddedRedis(directory, server=find_or_fetch_server(), options=_OPTIONS)
    redis.start()
    lock = os.open(directory, os.O_RDONLY)
    guard = ReaperProcess(lock)  # a signal that kills pytest outright leaves it no time to stop Redis itself
    os.close(lock)
    pid = redis.pid
    assert pid is not None  # noqa: S101 - it was started above
    guard.watch(pid, signal.SIGTERM)
    try:
        yield redis.url
    finally:
        redis.stop()
        guard.forget(pid)
        guard.dismiss()
