"""A connection to Redis over which commands follow each other without waiting for answers.

redis-py asks and waits: what waits for the same answer cannot go ahead, and each answer costs a task
its turn. Here what is asked is written at once, and its answer is handed over the moment it is read
(Redis answers in the order of asking). Connecting, with all its kinds of address, TLS, passwords and
sentinels, stays redis-py's work; this takes its connection over once it stands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio.connection import AbstractConnection

    Done = Callable[[Any, BaseException | None], None]

_NOTHING: Final = object()
_LOOKS: Final = 10


@dataclass(kw_only=True, slots=True)
class Asked:
    """A script call on its way: ``load`` is the command that makes Redis know the script, if it does not.

    ``done`` is called once, with the answer or with what came instead.
    """

    command: bytes
    load: bytes
    done: Done
    since_s: float = 0.0
    is_again: bool = False


def tell(future: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
    """Give *future* what has come, unless who waits for it was cancelled."""
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    elif isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)


class Line(asyncio.Protocol):
    """One connection; lost, it stays so, and whoever was waiting has been told.

    :param connection: a connected one of redis-py's, which nobody else uses from now on.
    :param timeout_s: when an answer takes longer, the connection is given up.
    """

    def __init__(self, connection: AbstractConnection, timeout_s: float) -> None:
        writer: Any = connection._writer  # noqa: SLF001 - redis-py has no way to say which transport it is
        self.connection = connection
        self.is_open = True
        self._timeout_s = timeout_s
        self._transport: asyncio.Transport = writer.transport
        self._before: Any = self._transport.get_protocol()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=ResponseError, notEnoughData=_NOTHING
        )
        self._asked: deque[Asked | None] = deque()  # None: loads a script, nobody waits for it
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport.set_protocol(self)

    def ask(self, asked: Asked) -> None:
        """Send a call; the line must be open."""
        asked.since_s = self._loop.time()
        self._asked.append(asked)
        self._transport.write(asked.command)
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s / _LOOKS, self._look)

    def data_received(self, data: bytes) -> None:
        """Hand over what has come."""
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _NOTHING:
                self._hand_over(answer)
        except InvalidResponse as exc:
            self._give_up(exc)
        if not self.is_open and not self._asked:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._give_up(RedisConnectionError(f"the connection to Redis was lost: {exc or 'closed by Redis'}"))
        self._before.connection_lost(exc)  # who closes redis-py's connection waits for this

    def _hand_over(self, answer: Any) -> None:
        asked = self._asked.popleft()
        error = answer if isinstance(answer, ResponseError) else None
        if error is not None and "READONLY" in str(error):
            # after a failover the address leads elsewhere; what is under way is still answered
            self.is_open = False
        if asked is None:
            return
        if error is not None and str(error).startswith("NOSCRIPT") and not asked.is_again and self.is_open:
            asked.is_again = True
            self._asked.append(None)
            self._transport.write(asked.load)
            self.ask(asked)
            return
        asked.done(None if error else answer, error)

    def _look(self) -> None:
        """Give up when the oldest call has waited for too long; else look again while any is under way."""
        self._timer = None
        oldest = next((asked for asked in self._asked if asked is not None), None)
        if oldest is None:
            return
        if self._loop.time() - oldest.since_s >= self._timeout_s:
            self._give_up(RedisTimeoutError(f"no answer from Redis within {self._timeout_s:g} s"))
        else:
            self._timer = self._loop.call_later(self._timeout_s / _LOOKS, self._look)

    def _give_up(self, error: Exception) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._asked = self._asked, deque()
        self._transport.abort()
        for asked in waiting:
            if asked is not None:
                asked.done(None, error)
