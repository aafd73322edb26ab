"""What runs a host, as the pool sees it."""

from __future__ import annotations

from typing import Protocol


class Body(Protocol):
    """What runs a host: a process, or the process at hand."""

    def kill(self) -> None:
        """End it at once."""

    def executing(self) -> int:
        """Return the run that has the host's loop just now, 0 when none is known to."""

    def memory_bytes(self) -> int | None:
        """Return its resident memory, where that can be told."""
