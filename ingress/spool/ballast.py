"""The ballast file: disk space set aside for the day when the disk is full.

Deleting from a database takes space as well; dropping the ballast provides it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger("ingress")

BALLAST: Final = "ballast"
_BALLAST_BYTES: Final = 2 * 1024 * 1024


class Ballast:
    """The ballast in *directory*."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / BALLAST

    def lay_up(self) -> None:
        """Write the file if it is missing and the disk has room for it."""
        if self._path.exists():
            return
        trial = self._path.with_name(f"{BALLAST}-{os.getpid()}")
        try:
            with trial.open("wb") as file:
                file.write(bytes(_BALLAST_BYTES))
                file.flush()
                os.fsync(file.fileno())
            trial.replace(self._path)
        except OSError:
            trial.unlink(missing_ok=True)

    def drop(self) -> bool:
        """Remove the file; ``False`` when there is none."""
        if not self._path.exists():
            return False
        log.warning("the spool's disk is full; its ballast is dropped", directory=str(self._path.parent))
        self._path.unlink(missing_ok=True)
        return True
