"""Which errors mean that Redis is away."""

from __future__ import annotations

import asyncio

import pytest
from redis import exceptions

from hookyard.redis.errors import is_redis_away


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncio.IncompleteReadError(b"", 1), False),
        (exceptions.ConnectionError("gone"), True),
        (exceptions.TimeoutError(), True),
        (exceptions.BusyLoadingError(), True),
        (exceptions.ReadOnlyError(), True),
        (exceptions.OutOfMemoryError(), True),
        (exceptions.ResponseError("OOM command not allowed when used memory > 'maxmemory'"), True),
        (exceptions.ResponseError("READONLY You can't write against a read only replica. script: abc"), True),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), True),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (exceptions.NoPermissionError("this user has no permissions to run the 'set' command"), True),
        (exceptions.AuthenticationError("invalid username-password pair"), True),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), True),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), False),
        (exceptions.ResponseError("ERR unknown command"), False),
        (exceptions.NoScriptError(), True),
        (exceptions.ResponseError("NOSCRIPT No matching script. Please use EVAL."), True),
        (exceptions.DataError(), False),
        (KeyError("x"), False),
        (asyncio.CancelledError(), False),
    ],
    ids=repr,
)
def test_what_counts_as_away(error, away):
    assert is_redis_away(error) is away
