"""The reaper: ends what `hookyard up` started when `up` itself is killed or crashes.

`up` runs this file as a process and tells it over standard input which processes it has started
(`+ PID SIGNAL`) and which have ended (`- PID`). The kernel closes that pipe when `up` dies, however it
dies; each process that is left then gets its signal, and SIGKILL if that does not end it. The reaper
holds the lock of `.hookyard/` as well, so that the next `up` starts only when all this is over.

Only the standard library, since it is started by its path, without our packages; on Linux and macOS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

_TIMEOUT_S = 20.0
_POLL_S = 0.02


def main() -> None:
    """Read until `up` is gone, then end the processes that are left."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # meant for `up`, which stops everything in order
    left: dict[int, signal.Signals] = {}
    for line in sys.stdin:
        sign, pid, *name = line.split()
        if sign == "+":
            left[int(pid)] = signal.Signals[name[0]]
        else:
            left.pop(int(pid), None)
    end(left)


def end(left: dict[int, signal.Signals]) -> None:
    """Signal the process groups in *left*, wait for them to end, kill those that do not."""
    for pid, signum in left.items():
        _signal(pid, signum)
    deadline = time.monotonic() + _TIMEOUT_S
    while not all(_is_gone(pid) for pid in left) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for pid in left:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)  # each was started in a session, and so a group, of its own


def _is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


if __name__ == "__main__":
    main()
