"""How much processor time a process has used: who is busy, the program or Redis. Linux only."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

_USER, _SYSTEM = 11, 12  # proc(5), /proc/<pid>/stat: utime and stime, counted behind the name


class Shares:
    """What share of one processor each process used since this was made; nothing where /proc is missing."""

    def __init__(self, **pids: int) -> None:
        self._pids = pids
        self._began = time.monotonic()
        self._before = {name: _used_s(pid) for name, pid in pids.items()}

    def __str__(self) -> str:
        """Return e.g. ``worker 93 %, Redis 41 %``."""
        took = time.monotonic() - self._began
        return ", ".join(
            f"{name} {(_used_s(pid) - self._before[name]) / took:.0%}" for name, pid in self._pids.items()
        )


def redis_pid(client: redis.Redis) -> int:
    """Return the process id of the Redis that *client* talks to."""
    server: Any = client.info("server")
    return int(server["process_id"])


def _used_s(pid: int) -> float:
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")
