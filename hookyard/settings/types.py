"""Types of settings, with the conversion of their text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

DEFAULT_PORT: Final = 8000


def _split(value: object) -> object:
    """Split a comma-separated list; blanks around entries and empty entries are dropped."""
    if isinstance(value, str):
        return tuple(entry.strip() for entry in value.split(",") if entry.strip())
    return value


def _ignore_kubernetes(value: object, default: int = DEFAULT_PORT) -> object:
    """Replace the ``tcp://10.0.0.1:80`` that Kubernetes injects for a Service named hookyard."""
    return default if isinstance(value, str) and "://" in value else value


_BYTES: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[kmg]?i?b?)", re.IGNORECASE)
_WHOLE: Final = 100
_LEAST_BYTES: Final = 1024**2
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryLimit:
    """A share of Redis's ``maxmemory``, or bytes."""

    share: float | None = None
    size_bytes: int | None = None

    def __str__(self) -> str:
        """Return it as it is set."""
        return f"{self.share:.0%}" if self.share is not None else str(self.size_bytes)

    def allowed_bytes(self, max_bytes: int) -> int | None:
        """Return the limit in bytes; ``None`` for a share of a ``maxmemory`` that is not set (0)."""
        if self.size_bytes is not None:
            return self.size_bytes
        return int(max_bytes * (self.share or 0)) if max_bytes else None


def _memory_limit(value: object) -> object:
    """Read ``75%`` of ``maxmemory``, or bytes such as ``700mb``."""
    if not isinstance(value, str):
        return value
    found = _BYTES.fullmatch(value.strip())
    if found is None:
        raise ValueError("it must be a share of maxmemory such as 75%, or bytes such as 700mb")
    number, unit = float(found["number"]), found["unit"].lower()
    if unit == "%":
        if not 0 < number <= _WHOLE:
            raise ValueError("a share must be above 0% and at most 100%")
        return MemoryLimit(share=number / 100)
    size_bytes = int(number * _UNITS[unit.rstrip("ib")])
    if size_bytes < _LEAST_BYTES:
        raise ValueError("it must be 1mb or more")
    return MemoryLimit(size_bytes=size_bytes)


def _auto_is_zero(value: object) -> object:
    """Read ``auto`` as 0, which stands for the number of cores."""
    return 0 if isinstance(value, str) and value.strip().lower() == "auto" else value


def _lower(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_lower, value))
    return value.lower() if isinstance(value, str) else value


def _expand_home(value: object) -> object:
    """Expand a leading ``~``, which stays in a variable that no shell sets."""
    return os.path.expanduser(value) if isinstance(value, str) else value  # noqa: PTH111 - it raises nothing


def _words(value: object) -> object:
    """Split a list at blanks and line breaks; what is in it may hold commas."""
    return tuple(value.split()) if isinstance(value, str) else value


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_lower), BeforeValidator(_split)]
Port = Annotated[int, BeforeValidator(_ignore_kubernetes)]
MetricsPort = Annotated[int, BeforeValidator(partial(_ignore_kubernetes, default=0))]
ConsolePort = Annotated[int, BeforeValidator(partial(_ignore_kubernetes, default=8001))]
Entries = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_words)]
HostCount = Annotated[int, BeforeValidator(_auto_is_zero)]
LowerCase = Annotated[str, BeforeValidator(_lower)]
Directory = Annotated[Path, BeforeValidator(_expand_home)]
KeepMemory = Annotated[MemoryLimit, NoDecode, BeforeValidator(_memory_limit)]


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
