"""The directory ``.hookyard/``: its lock, and the record of the stack that runs there.

``lock`` is held (flock) by the running ``up``, and by its reaper until all of its processes have
ended; the kernel releases it, however they die. ``secret`` is the webhooks' secret token where none is
set. ``up.json`` says how to reach the stack; it may hold a
password (in a given ``REDIS_URL``), so only its owner may read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from hookyard.settings.settings import working_directory

if TYPE_CHECKING:
    from pathlib import Path

_POLL_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class RunningStack:
    """The stack that runs in a directory.

    ``addresses``: by process, for people. ``environment``: the variables with which other commands reach
    the same Redis and GitLab. ``redis_pid``: of the embedded Redis, ``None`` when ``REDIS_URL`` was set.
    """

    pid: int
    started: str
    addresses: dict[str, str]
    environment: dict[str, str] = field(repr=False)
    redis_pid: int | None = None


class UpDirectory:
    """``.hookyard/`` in the current directory, or *path*."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or working_directory()
        self._lock: int | None = None
        self._has_written = False

    @property
    def redis(self) -> Path:
        """Where the embedded Redis keeps its files."""
        return self.path / "redis"

    @property
    def spool(self) -> Path:
        """Where the ingress keeps deliveries while Redis is away."""
        return self.path / "spool"

    @property
    def lock(self) -> int:
        """The file descriptor of the lock, for another process to hold as well."""
        assert self._lock is not None, "acquire() first"  # noqa: S101 - a slip in the order of calls
        return self._lock

    def acquire(self) -> bool:
        """Make the directory and lock it; return ``False`` when another process holds the lock.

        :raises OSError: when it cannot be made or written to.
        """
        self._make()
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(3):  # a command that checks the lock holds it for a moment
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_POLL_S)
        os.close(self._lock)
        self._lock = None
        return False

    def secret(self) -> str:
        """Return the secret token of this directory, made up when it is first asked for."""
        self._make()
        path = self.path / "secret"
        with contextlib.suppress(OSError):
            if kept := path.read_text(encoding="ascii").strip():
                return kept
        made_up = secrets.token_urlsafe(24)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(made_up + "\n")
        return made_up

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)  # payloads are in there; an earlier one may have been open to others
        (self.path / ".gitignore").write_text("*\n", encoding="utf-8")

    def release(self) -> None:
        """Remove the record, if it is ours, and release the lock."""
        if self._has_written:
            with contextlib.suppress(OSError):
                (self.path / "up.json").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, stack: RunningStack) -> None:
        """Record the running stack, atomically."""
        draft = self.path / "up.json.new"
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(stack), file, indent=2)
        draft.replace(self.path / "up.json")
        self._has_written = True

    def last(self) -> RunningStack | None:
        """Return the last recorded stack, whether it runs or was killed."""
        try:
            return RunningStack(**json.loads((self.path / "up.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def running(self) -> RunningStack | None:
        """Return the stack that runs here now."""
        stack = self.last()
        return stack if stack and is_alive(stack.pid) and self._is_locked() else None

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False


def is_alive(pid: int) -> bool:
    """Return whether there is such a process, also one of another user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
