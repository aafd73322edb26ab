"""One host's process: start it, learn how it ended, kill it."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_KIB: Final = 1024
_MAX_RSS_BYTES: Final = 1 if sys.platform == "darwin" else _KIB  # the unit of ru_maxrss, getrusage(2)


def shared_page() -> IO[bytes]:
    """Return a page of memory as a file without a name; a container's disk may be read-only."""
    file: IO[bytes]
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("hookyard-host"), "r+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.truncate(mmap.PAGESIZE)
    return file


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a process ended. ``code`` is negative for a signal, as subprocess has it."""

    code: int
    peak_bytes: int

    def __str__(self) -> str:
        """Return it for operators: signal or exit code, and the peak of its memory."""
        how = f"exit code {self.code}"
        if self.code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-self.code).name
        return f"{how}, peak memory {self.peak_bytes / _KIB**2:.0f} MiB"


class HostProcess:
    """A running ``python -m hookyard.host``.

    ``socket`` is this side of the link; ``cell`` holds the number of the run that has the host's loop
    just now, 0 for none.
    """

    def __init__(self, *, ended: Callable[[Exit], None]) -> None:
        """Start it.

        :param ended: called in the running loop once it has ended.
        """
        self._loop = asyncio.get_running_loop()
        self._ended = ended
        self.socket, theirs = socket.socketpair()
        with theirs, shared_page() as shared:
            self.cell = memoryview(mmap.mmap(shared.fileno(), mmap.PAGESIZE)).cast("q")
            command = [sys.executable, "-m", "hookyard.host", "--supervisor", str(os.getpid())]
            command += ["--link", str(theirs.fileno()), "--cell", str(shared.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own module, from a list made here
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), shared.fileno()),
                start_new_session=True,  # a terminal's Ctrl-C is for the supervisor only
            )
        self.pid = self._process.pid
        threading.Thread(target=self._wait, name=f"host {self.pid}", daemon=True).start()

    def kill(self) -> None:
        """End it at once; ``ended`` is called soon after."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def memory_bytes(self) -> int | None:
        """Return its resident memory, ``None`` where that cannot be read."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path to keep
                return int(statm.read().split()[1]) * mmap.PAGESIZE
        except (OSError, ValueError, IndexError):
            return None

    def _wait(self) -> None:
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code  # it was waited for behind its back
        exit_ = Exit(code=code, peak_bytes=usage.ru_maxrss * _MAX_RSS_BYTES)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self._loop.call_soon_threadsafe(self._ended, exit_)
