"""The reaper's process: told by ``up`` which processes to end should ``up`` die without doing so."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from hookyard.cli.up import reaper


class ReaperProcess:
    """A running reaper (see :mod:`hookyard.cli.up.reaper`), which also holds the file descriptor *lock*."""

    def __init__(self, lock: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(reaper.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
            cwd="/",
        )

    def watch(self, pid: int, signum: signal.Signals = signal.SIGKILL) -> None:
        """Have the process group *pid* ended by *signum* should this process die."""
        self._send(f"+ {pid} {signum.name}")

    def forget(self, pid: int) -> None:
        """Report that *pid* has ended."""
        self._send(f"- {pid}")

    def dismiss(self) -> None:
        """End the reaper; what it still watches is ended as well."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened above
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was opened above
        with contextlib.suppress(OSError):  # the reaper was killed: go on without it
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
