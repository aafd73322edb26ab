"""Calls of the ledger's Lua scripts. Each script's header says what it does."""

from __future__ import annotations

import asyncio
import hashlib
import re
from functools import cache, partial
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import structlog
from hiredis import pack_command
from redis.exceptions import NoScriptError

from hookyard.redis.futures import resolve
from hookyard.redis.pipeline import PendingCall, PipelinedConnection, can_take_over, transport_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from redis.asyncio import Redis

    from hookyard.redis.futures import OnResult

    Argument = str | int | float | bytes

log = structlog.get_logger("hookyard.redis")

_INCLUDE: Final = re.compile(r"^--@include (\w+)$", re.MULTILINE)


@cache
def source(name: str) -> str:
    """Return the text of ``scripts/<name>.lua``; a line ``--@include <other>`` is replaced by that one's."""
    text = resources.files("hookyard.ledger").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: source(found[1]), text)


@cache
def _sha(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()  # Redis's name for it


@cache
def _load(name: str) -> bytes:
    return _packed("SCRIPT", "LOAD", source(name))


def _packed(*words: Argument) -> bytes:
    pack: Any = pack_command  # its type hints allow only one word
    packed: bytes = pack(words)
    return packed


class ScriptRunner:
    """Calls scripts over one pipelined connection; a lost one is replaced by the next call.

    Commands are packed by hiredis: redis-py packs them in Python, which for hundreds of arguments takes
    longer than the script itself. Where the connections of *redis* cannot be taken over (a release of
    redis-py that has renamed what this leans on), calls go through *redis* itself, and a log line says so.

    :param timeout_s: time limit of one call; a shorter ``socket_timeout`` of *redis* takes precedence.
    """

    def __init__(self, redis: Redis, *, timeout_s: float) -> None:
        self._redis = redis
        self._pool = redis.connection_pool
        own: float | None = self._pool.connection_kwargs.get("socket_timeout")
        self._timeout_s: Final = timeout_s if own is None else min(own, timeout_s)
        self._connection: PipelinedConnection | None = None
        self._connecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_pipelined = True
        if not can_take_over(self._pool):
            self._fall_back()

    def send(self, name: str, on_result: OnResult, *, keys: Sequence[str], args: Sequence[Argument]) -> None:
        """Call a script; *on_result* receives its answer or the error that came instead."""
        if not self._is_pipelined:
            self._start(self._run_unpipelined(name, keys, args, on_result))
            return
        command = _packed("EVALSHA", _sha(name), len(keys), *keys, *args)
        call = PendingCall(command=command, load=_load(name), on_result=on_result)
        if self._connection is not None and self._connection.is_open:
            self._connection.send(call)
        else:
            send_again = partial(self.send, name, on_result, keys=keys, args=args)
            self._start(self._connect_and_send(call, send_again))

    async def call(self, name: str, *, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Return the answer of a script."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(name, partial(resolve, answer), keys=keys, args=args)
        return await answer

    def batch(
        self, name: str, *, keys: Sequence[str], args: Sequence[Argument]
    ) -> Callable[[Sequence[tuple[Argument, ...]], OnResult], None]:
        """Return a function that sends many items in one call: *args*, then the values of all items."""

        def send(items: Sequence[tuple[Argument, ...]], on_result: OnResult) -> None:
            self.send(name, on_result, keys=keys, args=[*args, *chain.from_iterable(items)])

        return send

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect_and_send(self, call: PendingCall, send_again: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):  # redis-py has none for its handshake
                connection = await self._connected()
        except BaseException as exc:
            call.on_result(None, exc)
            if not isinstance(exc, Exception):
                raise
        else:
            if connection is None:
                send_again()
            else:
                connection.send(call)

    async def _connected(self) -> PipelinedConnection | None:
        """Return an open connection, with redis-py's connecting and its errors; ``None`` to do without."""
        async with self._connecting:
            if self._connection is not None:
                if self._connection.is_open:
                    return self._connection
                lost, self._connection = self._connection.connection, None
                await lost.disconnect(nowait=True)
                await self._pool.release(lost)
            if not self._is_pipelined:
                return None
            connection = await self._pool.get_connection()
            transport = transport_of(connection)
            if transport is None:
                await self._pool.release(connection)
                self._fall_back()
                return None
            self._connection = PipelinedConnection(connection, transport, timeout_s=self._timeout_s)
            return self._connection

    def _fall_back(self) -> None:
        self._is_pipelined = False
        log.warning(
            "this release of redis-py does not give access to its connections' transports; scripts are "
            "called through redis-py itself, which is slower: install a release that pyproject.toml allows"
        )

    async def _run_unpipelined(
        self, name: str, keys: Sequence[str], args: Sequence[Argument], on_result: OnResult
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._evaluate(name, keys, args)
        except BaseException as exc:
            on_result(None, exc)
            if not isinstance(exc, Exception):
                raise
        else:
            on_result(answer, None)

    async def _evaluate(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        command = ("EVALSHA", _sha(name), len(keys), *keys, *args)
        try:
            return await self._redis.execute_command(*command)
        except NoScriptError:
            await self._redis.execute_command("SCRIPT LOAD", source(name))
            return await self._redis.execute_command(*command)
