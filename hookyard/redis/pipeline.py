"""A connection to Redis that sends calls without waiting for the answers to earlier ones.

redis-py sends one command and waits: callers queue for connections, and each answer costs a task
switch. Here a call is written at once, and its answer is handed over as soon as it is read (Redis
answers in the order of the calls). Connecting, with every kind of address, TLS, passwords and
Sentinel, stays redis-py's work; this class takes its connection over once it is established.
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
    from redis.asyncio import ConnectionPool
    from redis.asyncio.connection import AbstractConnection

    from hookyard.redis.futures import OnResult

WRITER: Final = "_writer"
"""redis-py's private attribute that leads to a connection's transport; there is no public one."""

_INCOMPLETE: Final = object()
_CHECKS_PER_TIMEOUT: Final = 10


def can_take_over(pool: ConnectionPool) -> bool:
    """Return whether this release of redis-py gives access to the transports of its connections."""
    return hasattr(pool.make_connection(), WRITER)


def transport_of(connection: AbstractConnection) -> asyncio.Transport | None:
    """Return the transport of an established connection, ``None`` where it cannot be taken over."""
    transport = getattr(getattr(connection, WRITER, None), "transport", None)
    return transport if hasattr(transport, "set_protocol") else None


@dataclass(kw_only=True, slots=True)
class PendingCall:
    """A script call that is sent or about to be.

    :param load: the command that loads the script, sent when Redis does not know it.
    """

    command: bytes
    load: bytes
    on_result: OnResult
    sent_at_s: float = 0.0
    is_retry: bool = False


class PipelinedConnection(asyncio.Protocol):
    """One connection. Once lost it stays lost, and every pending call has received the error.

    :param connection: an established one of redis-py's, used by nobody else from now on.
    :param transport: its transport, see :func:`transport_of`.
    :param timeout_s: when an answer takes longer, the connection is given up.
    """

    def __init__(
        self, connection: AbstractConnection, transport: asyncio.Transport, *, timeout_s: float
    ) -> None:
        self.connection = connection
        self.is_open = True
        self._timeout_s = timeout_s
        self._transport = transport
        self._former_protocol: Any = transport.get_protocol()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=ResponseError, notEnoughData=_INCOMPLETE
        )
        self._pending: deque[PendingCall | None] = deque()  # None: the load of a script
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    def send(self, call: PendingCall) -> None:
        """Send *call*; the connection must be open."""
        call.sent_at_s = self._loop.time()
        self._pending.append(call)
        self._transport.write(call.command)
        if self._timer is None:
            self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Hand over the answers in *data*."""
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _INCOMPLETE:
                self._hand_over(answer)
        except InvalidResponse as exc:
            self._abort(exc)
        if not self.is_open and not self._pending:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all pending calls."""
        self._abort(RedisConnectionError(f"the connection to Redis was lost: {exc or 'closed by Redis'}"))
        self._former_protocol.connection_lost(exc)  # closing redis-py's connection waits for this

    def _hand_over(self, answer: Any) -> None:
        call = self._pending.popleft()
        error = answer if isinstance(answer, ResponseError) else None
        if error is not None and "READONLY" in str(error):
            # after a failover the address leads elsewhere; calls already sent are still answered
            self.is_open = False
        if call is None:
            return
        if error is not None and str(error).startswith("NOSCRIPT") and not call.is_retry and self.is_open:
            call.is_retry = True
            self._pending.append(None)
            self._transport.write(call.load)
            self.send(call)
            return
        call.on_result(None if error else answer, error)

    def _start_timer(self) -> None:
        self._timer = self._loop.call_later(self._timeout_s / _CHECKS_PER_TIMEOUT, self._check_timeout)

    def _check_timeout(self) -> None:
        """Give the connection up if the oldest call has waited too long, else check again later."""
        self._timer = None
        oldest = next((call for call in self._pending if call is not None), None)
        if oldest is None:
            return
        if self._loop.time() - oldest.sent_at_s >= self._timeout_s:
            self._abort(RedisTimeoutError(f"no answer from Redis within {self._timeout_s:g} s"))
        else:
            self._start_timer()

    def _abort(self, error: Exception) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        pending, self._pending = self._pending, deque()
        self._transport.abort()
        for call in pending:
            if call is not None:
                call.on_result(None, error)
