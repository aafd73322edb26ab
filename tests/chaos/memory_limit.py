"""A limit on the memory of a process and its children, by a control group, as a container has it."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_GONE_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A control group in *directory*: what is in it is killed when it needs more than it may."""

    directory: Path

    def command(self, arguments: list[str]) -> list[str]:
        """Return *arguments*, to be run in the group."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.directory / "cgroup.procs"), *arguments]

    def remove(self) -> None:
        """Remove the group, once its last process has ended."""
        deadline = time.monotonic() + _GONE_WITHIN_S
        while True:
            try:
                self.directory.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


def limit_memory(name: str, limit_bytes: int) -> MemoryLimit | None:
    """Return a new limit, ``None`` where this machine does not let us set one (it takes root)."""
    v1, v2 = _ROOT / "memory", _ROOT
    for root, setting in ((v1, "memory.limit_in_bytes"), (v2, "memory.max")):
        directory = root / f"{name}-{os.getpid()}"
        try:
            directory.mkdir()
        except OSError:
            continue
        try:
            (directory / setting).write_text(str(limit_bytes))
        except OSError:
            with contextlib.suppress(OSError):
                directory.rmdir()
            continue
        return MemoryLimit(directory)
    return None
