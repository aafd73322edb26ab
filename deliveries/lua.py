"""The Lua scripts in ``scripts/``, by name, and how one is called. Each file opens with its story."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from hiredis import pack_command
from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

    Argument = str | int | float | bytes

WARM_S: Final = 0.5
"""A connection that was used so recently is taken to be open still; if it is not, that call fails."""


@cache
def source(name: str) -> str:
    """Return the text of ``scripts/<name>.lua``."""
    return resources.files("deliveries").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")


@cache
def _sha(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()  # what Redis calls it


class Scripts:
    """Calls the scripts over connections from a client's pool, kept for as long as calls follow closely.

    Past redis-py's own command layer. That packs each argument in Python, which with hundreds of them
    takes longer than all that Redis does with them (hiredis packs in C), and looks at a connection each
    time it is taken from the pool, which costs as much as the call. Connecting, reading answers, errors
    and timeouts are redis-py's.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._warm: list[tuple[AbstractConnection, float]] = []  # and when it was used last

    async def call(self, name: str, *, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Return what the script answers; Redis is given its text where it does not know it."""
        words: tuple[Any, ...] = ("EVALSHA", _sha(name), len(keys), *keys, *args)
        command = pack_command(words)
        connection = await self._connection()
        try:
            answer = await _answer(connection, command, name)
        except BaseException:
            await self._pool.release(connection)  # redis-py has closed it where it can no longer be trusted
            raise
        self._warm.append((connection, time.monotonic()))
        return answer

    async def _connection(self) -> AbstractConnection:
        """Return one that was used a moment ago, else one that the pool has looked at."""
        while self._warm:
            connection, used = self._warm.pop()
            if time.monotonic() - used < WARM_S:
                return connection
            await self._pool.release(connection)
        fresh: AbstractConnection = await self._pool.get_connection()
        return fresh


async def _answer(connection: AbstractConnection, command: bytes, name: str) -> Any:
    await connection.send_packed_command(command, check_health=False)
    try:
        return await connection.read_response()
    except NoScriptError:  # Redis was restarted, or its scripts were flushed
        await connection.send_command("SCRIPT", "LOAD", source(name))
        await connection.read_response()
        await connection.send_packed_command(command, check_health=False)
        return await connection.read_response()
