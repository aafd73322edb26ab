"""One connection: uvicorn's protocol, with a bound on all that a client can send beside a body.

uvicorn leaves the size of a body to the application. What comes before it, between two requests and
around it has no limit there, costs memory and time before anybody has shown a secret, and in some places
(an offered upgrade, trailers) means something else to the parser than to the application. Here:

- a request line and its headers are at most ``MAX_HEAD_BYTES`` and ``MAX_FIELDS`` (431) and complete
  within ``HEAD_TIMEOUT_S``; so is the first request of a connection;
- one request at a time: the parser is given no more than to the end of a head or of a body, so that what is
  sent ahead of an answer is not parsed before it, wherever segments end;
- an upgrade is never made. One that comes with a body is refused, since the parser takes the body for the
  next request;
- trailers are dropped, and what frames a chunked body may not outweigh it;
- there are at most so many connections; beyond that the one whose request has been incomplete for longest is
  closed, unless its sender is known.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ingress.head import IS_KNOWN

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

HEAD_TIMEOUT_S: Final = 10.0
"""GitLab itself gives up after 10 s (``webhook_timeout``)."""

ANSWER_TIMEOUT_S: Final = 60.0
"""From the head of a request to the end of its answer; reading the body has its own, shorter limits."""

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_FIELDS: Final = 100
MAX_HEADS_BYTES: Final = 16 * 1024 * 1024
"""Of all heads together that are not complete, and of all that was sent ahead of answers."""

_FRAMING_BYTES: Final = 64 * 1024
_FRAMING_PER_BODY_BYTE: Final = 8
_MOST_PIECES: Final = 64
"""Blank lines in a chunked body that are tried as its end; beyond that nothing may be sent ahead."""

_BLANK_LINE: Final = b"\r\n\r\n"
_SPARE_FILES: Final = 64
"""Descriptors for everything but connections: Redis, the spool, libraries."""


class Connections:
    """The connections of one server, and which of them may go.

    :param most: how many there may be.
    :param keep_alive_s: how long one may wait for its next request.
    :param refused: gets status and reason of each answer that is given without the application.
    """

    def __init__(self, *, most: int, keep_alive_s: float, refused: Callable[[int, str], None]) -> None:
        self.most = most
        self.keep_alive_s = keep_alive_s
        self.refused = refused
        self.is_draining = False
        """Whether answers end their connections, so that a load balancer uses no old one."""
        self.open: dict[Connection, None] = {}
        """All, the oldest first."""
        self.waiting: dict[Connection, None] = {}
        """Those without a complete request, by when they began to wait for a head, or to send a body."""
        self.heads_bytes = 0

    def sweep(self, now: float) -> None:
        """End those that are past their time. Called about once a second."""
        for connection in [each for each in self.open if each.deadline < now]:
            connection.expire()

    def make_room(self, but: Connection) -> None:
        """Close those whose requests are incomplete for longest, until the others are within the limits.

        Neither a webhook that was read whole nor one whose sender is known is closed for another connection;
        and of those that wait for a head none before a stranger who has been sending a body for longer, since
        in between the newest may be GitLab's.
        """
        while len(self.open) > self.most or self.heads_bytes > MAX_HEADS_BYTES:
            oldest = next((each for each in self.waiting if each is not but and not each.is_known()), None)
            if oldest is None:
                break
            oldest.abort()


def most_connections(wanted: int) -> int:
    """Return *wanted*, or what the limit on open files leaves room for, which is raised where it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, min(wanted, soft - _SPARE_FILES))
    return wanted


class Connection(HttpToolsProtocol):
    """A client's connection; uvicorn makes one for each.

    :param connections: those of the same server.
    """

    def __init__(self, *args: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self.deadline = 0.0
        self._all = connections
        self._held = b""  # read ahead of an answer, and not yet parsed
        self._is_over = False  # refused or being closed: nothing more is parsed
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._body_left: int | None = None  # of an announced length
        self._line_end = b""  # the last bytes that were searched for a blank line
        self._body_bytes = 0
        self._framing_bytes = 0

    # --- asyncio's side -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.scheme = "http"  # the addresses of both ends decide nothing, and asking for them costs
        self._all.open[self] = None
        self._wait(HEAD_TIMEOUT_S)
        if len(self._all.open) > self._all.most:
            self._all.make_room(self)
            if len(self._all.open) > self._all.most:
                self._refuse(503, "too_many_connections", "too many requests are in progress; send it again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it, and all that it has read."""
        self._all.open.pop(self, None)
        self._stop_waiting()
        self._is_over = True
        self._let_go()
        self.pipeline.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Go on with a request that is complete: its client waits for the answer without sending."""
        if self._has_unanswered():
            self.cycle.keep_alive = False
            self._is_over = True
            return True
        return False

    def data_received(self, data: bytes) -> None:
        """Parse *data*, one request at a time."""
        if self._is_over:
            return
        if self._has_unanswered():
            self._hold(data)
        else:
            self._take(data)

    def expire(self) -> None:
        """End it, since its time is over."""
        if self._in_head and not self._is_over:
            self._refuse(408, "head_too_slow", "the request's headers did not arrive in time")
        else:
            self.abort()

    def abort(self) -> None:
        """Close it at once."""
        self._is_over = True
        self._all.open.pop(self, None)
        self._stop_waiting()
        self.transport.abort()

    # --- taking requests ------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        """Parse up to the end of a request, and hold what follows it until that is answered.

        A head and a chunked body end with a blank line, any other body by its length. Where a piece ends
        only decides when bytes are parsed, never how.
        """
        at, end, pieces = 0, len(data), 0
        while at < end and not self._is_over:
            if self._has_unanswered():
                self._hold(data[at:])
                return
            if self._in_body and self._body_left:
                upto = min(end, at + self._body_left)
                self._body_left -= upto - at
            elif self._in_body and pieces > _MOST_PIECES:
                upto, self._line_end = end, data[-3:]
            else:
                upto = self._end_of_block(data, at)
            pieces += 1
            self._parse(data[at:upto] if upto - at < end else data)
            at = upto

    def _end_of_block(self, data: bytes, at: int) -> int:
        """Return where the next blank line in *data* ends, which may have begun before; else the end."""
        before = self._line_end
        if before:
            found = (before + data[at : at + 3]).find(_BLANK_LINE)
            if found >= 0:
                self._line_end = b""
                return at + found + 4 - len(before)
        found = data.find(_BLANK_LINE, at)
        if found >= 0:
            self._line_end = b""
            return found + 4
        self._line_end = (before + data[max(at, len(data) - 3) :])[-3:]
        return len(data)

    def _hold(self, data: bytes) -> None:
        """Keep what is sent ahead of an answer, while all clients together send not too much of that."""
        self.flow.pause_reading()
        if self._all.heads_bytes + len(data) <= MAX_HEADS_BYTES:
            self._held += data
            self._all.heads_bytes += len(data)
        else:
            self._let_go()
            self._is_over = True
            self.cycle.keep_alive = False

    def _let_go(self) -> bytes:
        """Return what was held, which no longer is."""
        held, self._held = self._held, b""
        self._all.heads_bytes -= len(held)
        return held

    def _has_unanswered(self) -> bool:
        """Return whether a request is complete, and its answer is not."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def _parse(self, piece: bytes) -> None:
        if self._in_body:
            if self._body_left is None:
                self._framing_bytes += len(piece)  # without what turns out to be body
        else:
            self._head_bytes += len(piece)
            self._all.heads_bytes += len(piece)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse_head()
                return
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # nothing of it is parsed as the other protocol; the answer ends the connection
        except httptools.HttpParserError:
            if not self._is_over:
                self._refuse(400, "not_http", "this is not HTTP")
            return
        if self._framing_bytes > _FRAMING_BYTES + _FRAMING_PER_BODY_BYTE * self._body_bytes:
            self._refuse(400, "bad_framing", "the body's framing outweighs the body")
        elif self._all.heads_bytes > MAX_HEADS_BYTES:
            self._all.make_room(self)

    def is_known(self) -> bool:
        """Return whether the head of the request whose body is arriving has shown who sends it."""
        cycle: RequestResponseCycle | None = self.cycle
        return self._in_body and cycle is not None and not cycle.response_started and IS_KNOWN in self.scope

    def _go_on(self) -> None:
        """Parse what was held back."""
        held = self._let_go()
        if held and not self._is_over:
            self._take(held)
        if not self._held:
            self.flow.resume_reading()

    def _wait(self, seconds: float) -> None:
        self._all.waiting[self] = None
        self.deadline = self.loop.time() + seconds

    def _stop_waiting(self) -> None:
        self._all.waiting.pop(self, None)
        self._all.heads_bytes -= self._head_bytes
        self._head_bytes = 0

    def _refuse(self, status: int, reason: str, line: str) -> None:
        """Answer what cannot be handed to the application, and close the connection."""
        self._is_over = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = line.encode() + b"\n"
            head = (
                b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
            self._all.refused(status, reason)
        self.transport.close()

    # --- the parser's side ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._has_unanswered():
            raise _Refused  # it cannot be: a piece ends where a request does
        super().on_message_begin()
        self._in_head, self._in_body = True, False
        self._body_left = None
        self._body_bytes = self._framing_bytes = 0
        self.deadline = min(self.deadline, self.loop.time() + HEAD_TIMEOUT_S)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one after the body (a trailer) is dropped, as RFC 9110, 6.5.1 allows."""
        if not self._in_head:
            return
        if len(self.headers) >= MAX_FIELDS:
            self._refuse_head()
            raise _Refused
        name, value = name.lower(), value.strip(b" \t")  # RFC 9110, 5.5
        if name == b"content-length":
            self._body_left = int(value)  # the parser refuses what is no number
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))

    def _refuse_head(self) -> None:
        line = f"the request's headers exceed {MAX_HEAD_BYTES} bytes or {MAX_FIELDS} fields"
        self._refuse(431, "head_too_large", line)

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        self._in_head, self._in_body = False, True
        self._stop_waiting()
        self._all.waiting[self] = None  # as one that sends a body, until that is complete
        self.deadline = self.loop.time() + ANSWER_TIMEOUT_S
        upgrades = self.parser.should_upgrade()
        if upgrades and self._announces_body():
            self._refuse(400, "upgrade", "no upgrade is made here; send it without Connection: Upgrade")
            raise _Refused
        super().on_headers_complete()
        if upgrades or self._all.is_draining:
            self.cycle.keep_alive = False

    def _announces_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._in_body = False
        self._body_left = None
        self._line_end = b""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._all.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may have been read already."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._wait(HEAD_TIMEOUT_S if self._in_head else self._all.keep_alive_s)
        self._go_on()


class _Refused(Exception):
    """Stops the parser amid a request that was refused."""


def protocol(connections: Connections) -> Callable[..., Connection]:
    """Return what uvicorn calls for each new connection."""

    def make(*args: Any, **named: Any) -> Connection:
        return Connection(*args, connections=connections, **named)

    return make
