"""The errors of an unreachable or refusing Redis, told apart from mistakes of ours."""

from __future__ import annotations

from typing import Final

from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)


class NotReplicated(Exception):
    """Redis took the write, but too few of its replicas confirmed it in time."""


REDIS_AWAY: Final = (
    OSError,
    NotReplicated,
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
)
"""What redis-py raises while Redis cannot be reached or does not take our writes; a retry may succeed."""

_AWAY_CODES: Final = (
    "OOM",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "NOPERM",
    "NOSCRIPT",  # a second time, after the script was loaded again: somebody flushes scripts just now
    "BUSY",
    "UNKILLABLE",
)


def is_redis_away(exc: BaseException) -> bool:
    """Return whether *exc* means that Redis is away or refuses writes for now; else the mistake is ours.

    Redis wraps the code of an error inside a script (``READONLY … script: …``), so the text is read as well.
    """
    if isinstance(exc, REDIS_AWAY):
        return True
    return isinstance(exc, ResponseError) and any(
        code in str(exc).split(" script:")[0] for code in _AWAY_CODES
    )
