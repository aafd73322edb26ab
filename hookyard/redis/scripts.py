"""The Lua scripts in ``scripts/``, by name, and how one is called. Each file opens with its story."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from hiredis import pack_command

from hookyard.redis.pipeline import Asked, Line, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from hookyard.redis.pipeline import Done

    Argument = str | int | float | bytes


@cache
def source(name: str) -> str:
    """Return the text of ``scripts/<name>.lua``."""
    return resources.files("hookyard.ledger").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")


@cache
def _sha(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()  # what Redis calls it


@cache
def _load(name: str) -> bytes:
    return _packed("SCRIPT", "LOAD", source(name))


def _packed(*words: Argument) -> bytes:
    pack: Any = pack_command  # its types say that it takes one word
    packed: bytes = pack(words)
    return packed


class Scripts:
    """Calls the scripts, all over one line; a lost one is opened again by the next call.

    Commands are packed by hiredis: redis-py does it in Python, which with hundreds of arguments takes
    longer than all that Redis does with them.

    :param timeout_s: for how long Redis may take to answer; no longer than what *redis* was opened with.
    """

    def __init__(self, redis: Redis, *, timeout_s: float) -> None:
        self._pool = redis.connection_pool
        own: float | None = self._pool.connection_kwargs.get("socket_timeout")
        self._timeout_s: Final = timeout_s if own is None else min(own, timeout_s)
        self._line: Line | None = None
        self._opening = asyncio.Lock()
        self._late: set[asyncio.Task[None]] = set()

    def start(self, name: str, done: Done, *, keys: Sequence[str], args: Sequence[Argument]) -> None:
        """Call a script; *done* gets its answer, or the error that came instead."""
        command = _packed("EVALSHA", _sha(name), len(keys), *keys, *args)
        asked = Asked(command=command, load=_load(name), done=done)
        if self._line is not None and self._line.is_open:
            self._line.ask(asked)
            return
        task = asyncio.get_running_loop().create_task(self._ask_late(asked))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def call(self, name: str, *, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Return what a script answers."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        self.start(name, partial(tell, answer), keys=keys, args=args)
        return await answer

    async def _ask_late(self, asked: Asked) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):  # redis-py has none for what it says at first
                line = await self._opened()
        except BaseException as exc:
            asked.done(None, exc)
            if not isinstance(exc, Exception):
                raise
        else:
            line.ask(asked)

    async def _opened(self) -> Line:
        """Return a line that is open, with redis-py's connecting and its errors."""
        async with self._opening:
            if self._line is not None:
                if self._line.is_open:
                    return self._line
                lost, self._line = self._line.connection, None
                await lost.disconnect(nowait=True)
                await self._pool.release(lost)
            self._line = Line(await self._pool.get_connection(), self._timeout_s)
            return self._line
