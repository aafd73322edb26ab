"""The directory ``.hookyard/``: who runs here, where it can be reached, and that only one does.

``lock`` is held (flock) by the running ``up``, and by its guard until all of its processes have
ended; the kernel lets go of it, however they die. ``up.json`` says how to reach what runs; it may
hold a password (in a given ``REDIS_URL``), so only its owner may read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from hookyard.settings.settings import working_directory

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_AGAIN_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class RunningStack:
    """What runs in this directory.

    ``addresses``: by process, for people. ``environment``: variables with which other commands reach
    the same Redis and GitLab. ``redis_pid``: of the embedded Redis, ``None`` when one was given.
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
        """Where the ingress keeps what Redis cannot take."""
        return self.path / "spool"

    @property
    def lock(self) -> int:
        """The held lock's file descriptor, for a process that shall hold it too."""
        assert self._lock is not None, "take() first"  # noqa: S101 - a slip in the order of calls
        return self._lock

    def take(self) -> bool:
        """Make the directory and take its lock; ``False`` when somebody else has it.

        :raises OSError: when it cannot be made or written to.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)  # payloads are in there; an earlier one may have been open to others
        (self.path / ".gitignore").write_text("*\n", encoding="utf-8")
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(3):  # a command that looks whether the lock is held, holds it for a moment
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_LOOK_AGAIN_S)
        os.close(self._lock)
        self._lock = None
        return False

    def let_go(self) -> None:
        """Forget what ran here, if it was ours, and give the lock back."""
        if self._has_written:
            with contextlib.suppress(OSError):
                (self.path / "up.json").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, here: RunningStack) -> None:
        """Say what runs here, whole or not at all."""
        draft = self.path / "up.json.new"
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(here), file, indent=2)
        draft.replace(self.path / "up.json")
        self._has_written = True

    def last(self) -> RunningStack | None:
        """Return what an ``up`` wrote last, whether it still runs or died without clearing away."""
        try:
            return RunningStack(**json.loads((self.path / "up.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def running(self) -> RunningStack | None:
        """Return what runs here now."""
        here = self.last()
        return here if here and is_alive(here.pid) and self._is_held() else None

    def _is_held(self) -> bool:
        try:
            looking = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(looking)
        return False


def is_alive(pid: int) -> bool:
    """Return whether there is such a process, also somebody else's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
