"""How the processes of one ingress count together, so that a scrape of any of them tells of all.

``uvicorn --workers N`` starts N processes behind one socket, and a scrape meets one by chance. Each keeps its
numbers in a memory-mapped file, in a directory that the siblings share; counting costs no more than in an
array, nothing is lost by a kill -9, and whoever is scraped adds the files up. A process holds a lock on its
file for as long as it lives. One that starts takes over the file of one that died, so that no counter ever
falls; when none lives, it begins afresh.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import multiprocessing
import os
import stat
import tempfile
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hookyard.telemetry.metrics import Numbers

_CELL_BYTES: Final = 8
_ENDING: Final = ".numbers"


def shared_directory() -> Path | None:
    """Return where this process's siblings count, ``None`` for a process that has none.

    :raises OSError: when no temporary directory can be written.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return None
    return Path(tempfile.gettempdir()) / f"hookyard-{os.getuid()}-{parent.pid}"


class Siblings:
    """This process among its siblings, from ``join`` to ``leave``.

    :param numbers: with all its cells taken: from now on their number is fixed.
    """

    def __init__(self, directory: Path, numbers: Numbers) -> None:
        self._directory = directory
        self._numbers = numbers
        self._size = len(numbers.cells) * _CELL_BYTES
        self._file = -1
        self._name = ""
        self._map: mmap.mmap | None = None

    def join(self) -> None:
        """Count together with the siblings.

        :raises OSError: when the directory cannot be used, or is somebody else's.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        found = self._directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{self._directory} is somebody else's")
        with self._alone():
            self._name = self._take_over() or self._make()
        self._map = mmap.mmap(self._file, self._size)
        self._numbers.cells = memoryview(self._map).cast("d")  # type: ignore[assignment]  # of fixed length
        self._numbers.others = self._others

    def leave(self) -> None:
        """Stop; what was counted stays with the siblings, and the last one leaves nothing behind."""
        if self._map is None:
            return
        cells, self._numbers.others = self._numbers.cells, tuple
        self._numbers.cells = array("d", cells)
        cells.release()  # type: ignore[attr-defined]  # the memoryview
        self._map.close()
        self._map = None
        os.close(self._file)
        with contextlib.suppress(OSError), self._alone():
            if not self._living():
                for path in self._paths():
                    path.unlink()
                self._directory.rmdir()

    def _others(self) -> Sequence[Sequence[float]]:
        """Return the numbers of the siblings, also of those that died and have no heir yet."""
        found = []
        with contextlib.suppress(OSError):
            for path in self._paths():
                content = path.read_bytes() if path.name != self._name else b""
                if len(content) == self._size:
                    found.append(array("d", content))
        return found

    def _take_over(self) -> str | None:
        """Lock the file of a sibling that died, and give its name; where none lives, remove them all."""
        if not self._living():
            for path in self._paths():
                path.unlink()
        for path in self._paths():
            file = os.open(path, os.O_RDWR)
            if os.fstat(file).st_size == self._size and _lock(file):
                self._file = file
                return path.name
            os.close(file)
        return None

    def _make(self) -> str:
        self._file, name = tempfile.mkstemp(dir=self._directory, suffix=_ENDING)
        _lock(self._file)
        os.truncate(self._file, self._size)
        os.pwrite(self._file, bytes(array("d", self._numbers.cells)), 0)
        return Path(name).name

    def _living(self) -> bool:
        """Return whether a sibling lives."""
        for path in self._paths():
            file = os.open(path, os.O_RDWR)
            try:
                if not _lock(file):
                    return True
            finally:
                os.close(file)
        return False

    def _paths(self) -> list[Path]:
        return sorted(self._directory.glob(f"*{_ENDING}"))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep siblings that start or end at the same moment apart."""
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)


def _lock(file: int) -> bool:
    """Lock *file* for as long as it is open; ``False`` when somebody else has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
