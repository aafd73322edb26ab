"""Processes that outlive the tests that started them: found and killed.

``tests/leak_check.py`` uses it inside pytest. Run as a script it is pytest's reaper: the end of its
standard input tells it that pytest is gone, even after ``kill -9``, and it kills what pytest left running.

A process belongs to the tests when it has inherited the mark in its environment, or works in their
directory for temporary files: redis-server writes its title over its environment. Linux only (``/proc``).
Only the standard library, so that the reaper starts at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

MARK = "STARTED_BY_TESTS"
_PROC = Path("/proc")
_PARENT, _BEGAN = 1, 19  # fields of /proc/<pid>/stat, after the name
_GONE_WITHIN_S = 10.0
_DYING_S = 5.0
"""What dies with the process that started it (a host with its worker) may take this long."""


class LeftRunning(Exception):
    """A test is over, and processes that it started still ran; they have been killed."""


class Leftovers:
    """The processes that one pytest process started, or had started.

    :param mark: what they have in their environment.
    :param directory: where they work, those that have no environment to show.
    """

    def __init__(self, mark: str, directory: Path) -> None:
        self.mark = mark
        self.directory = directory
        self.lasting: set[int] = set()  # started by fixtures of the whole session, and the reaper

    def all(self) -> set[int]:
        """Return the process ids of all that there are."""
        pids = {int(entry.name) for entry in _PROC.glob("[0-9]*")}
        return {pid for pid in pids if self._is_ours(pid)}

    def children(self) -> set[int]:
        """Return the process ids of those that this process started itself."""
        pids: set[int] = set()
        for listed in (_PROC / "self" / "task").glob("*/children"):
            with contextlib.suppress(OSError):
                pids.update(int(pid) for pid in listed.read_text().split())
        return pids

    def end(self, pids: set[int]) -> None:
        """Kill those that are not to last; raise `LeftRunning` if there is one that runs."""
        left = commands({pid for pid in pids if not {pid, _stat(pid, _PARENT)} & self.lasting})
        began = {pid: _stat(pid, _BEGAN) for pid in left}  # a command line changes with each exec
        deadline = time.monotonic() + _DYING_S
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            running = commands(set(left))
            left = {pid: line for pid, line in running.items() if _stat(pid, _BEGAN) == began[pid]}
        for pid in left:
            _kill(pid)
        if left:
            raise LeftRunning("; ".join(f"{pid}: {line}" for pid, line in left.items()))

    def end_all(self) -> None:
        """Kill all that run, and what those started meanwhile, until none is left."""
        deadline = time.monotonic() + _GONE_WITHIN_S
        while (left := commands(self.all())) and time.monotonic() < deadline:
            for pid in left:
                _kill(pid)
            time.sleep(0.02)

    def _is_ours(self, pid: int) -> bool:
        if pid == os.getpid():
            return False
        try:
            environment = (_PROC / str(pid) / "environ").read_bytes()
            works_in = (_PROC / str(pid) / "cwd").readlink()
        except OSError:
            return False
        return f"{MARK}={self.mark}\0".encode() in environment or works_in.is_relative_to(self.directory)


def commands(pids: set[int]) -> dict[int, str]:
    """Return the command lines of those that run; one that has ended, and is not reaped yet, has none."""
    lines = {}
    for pid in sorted(pids):
        with contextlib.suppress(OSError):
            lines[pid] = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")
    return {pid: line for pid, line in lines.items() if line}


def _stat(pid: int, field: int) -> int:
    """Return a field of /proc/<pid>/stat, 0 when it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="latin-1")
        return int(text.rpartition(")")[2].split()[field])
    except (OSError, IndexError):
        return 0


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Wait until pytest is gone, then kill what it left."""
    mark, directory = sys.argv[1:]
    sys.stdin.read()
    Leftovers(mark, Path(directory)).end_all()


if __name__ == "__main__":
    main()
