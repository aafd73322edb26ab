"""How a webhook that is there as a whole is answered without a task: straight from uvicorn's parser.

Nearly every webhook arrives in one piece and needs one thing, Redis's word. For such a request ASGI's
task, its messages, and a timer for keeping the connection cost more than all that is done for it. So
what fits is taken here as soon as its last byte is there, and is answered when Redis has spoken. All
else goes uvicorn's own way: other paths and methods, bodies in several pieces, requests sent ahead of
an answer, refusals, and whatever Redis does not take. With plain uvicorn everything goes that way.

It builds on how uvicorn's protocol does its work (`uvicorn/protocols/http/httptools_impl.py`), which is
not promised to stay; tests/ingress/test_short_way.py shows whether it still holds.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ingress.body import said_length
from ingress.endpoint import Receiver, Whole

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn._types import ASGI3Application, HTTPScope

SHORT_BYTES: Final = 64 * 1024
"""A longer body hardly ever comes in one piece."""


class Passing(Whole):
    """One request by the short way; uvicorn takes it for the cycle of request and response that is on."""

    __slots__ = ("connection", "disconnected", "keep_alive", "response_complete", "scope")

    message_event: Final = asyncio.Event()  # what uvicorn sets when a connection is lost; nobody waits

    def __init__(self, connection: ShortWay, headers: dict[bytes, bytes]) -> None:
        super().__init__(headers, b"")
        self.connection = connection
        self.scope = connection.scope
        self.disconnected = self.response_complete = False
        self.keep_alive = True

    def complete_scope(self) -> HTTPScope:
        """Return the scope as uvicorn completes it."""
        scope = self.scope
        scope["method"] = "POST"
        scope["path"], scope["raw_path"], scope["query_string"] = "/", b"/", b""
        return scope

    def answer(self, asked: asyncio.Future[bool]) -> None:
        """Go on: Redis has spoken, or failed."""
        connection = self.connection
        receiver = connection.receiver
        if asked.cancelled() or asked.exception() is not None:
            connection.go_on_with(self, receiver.end_late(self, asked))
            return
        status = receiver.end(self, new=asked.result())
        self.response_complete = True
        connection.write_empty(status, keep_alive=self.keep_alive)


class ShortWay(HttpToolsProtocol):
    """uvicorn's protocol for HTTP/1.1, with a short way for webhooks."""

    receiver: Receiver
    cycle: Any  # uvicorn's own, a Passing in its place, or None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        found = getattr(self.app, "receiver", None)
        self._is_open = isinstance(found, Receiver) and not self.root_path and self.limit_concurrency is None
        if isinstance(found, Receiver):
            self.receiver = found
            self._most = min(SHORT_BYTES, found.max_body_bytes)
        self._passing: Passing | None = None  # its body is still to come
        self._idle_since: float | None = None
        self._rendered_for: object = None
        self._rendered: dict[int, bytes] = {}

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        super().data_received(data)
        passing = self._passing
        if passing is not None and not self.transport.is_closing():  # in several pieces, then
            self._passing = None
            super().on_headers_complete()
            if passing.body:
                super().on_body(passing.body)

    def on_headers_complete(self) -> None:
        """Choose the way."""
        if (
            self._is_open
            and self.url == b"/"
            and (self.cycle is None or self.cycle.response_complete)
            and self.parser.get_method() == b"POST"
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and not self.flow.write_paused
        ):
            headers = dict(self.headers[::-1])  # of a name that came twice, the first
            said = said_length(headers.get(b"content-length"))
            if said is not None and said <= self._most:
                self._passing = Passing(self, headers)
                return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._passing is not None:
            self._passing.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin with a request that is there as a whole."""
        passing, self._passing = self._passing, None
        if passing is None:
            super().on_message_complete()
            return
        self.cycle = passing
        try:
            begun = self.receiver.begin(passing)
        except Exception as exc:  # noqa: BLE001 - raised again where uvicorn logs it and answers 500
            begun = _raising(exc)
        if isinstance(begun, asyncio.Future):
            begun.add_done_callback(passing.answer)
        else:
            self.go_on_with(passing, begun)

    def go_on_with(self, passing: Passing, app: ASGIApp) -> None:
        """Have *app* answer uvicorn's own way."""
        cycle = RequestResponseCycle(
            scope=passing.complete_scope(),
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=passing.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        cycle.disconnected = passing.disconnected
        if self.cycle is passing:
            self.cycle = cycle
        self._start_asgi_task(cycle, cast("ASGI3Application", app))

    def write_empty(self, status: int, *, keep_alive: bool) -> None:
        """Answer without a body, if anybody is still there."""
        if self.transport.is_closing():
            return
        headers = self.server_state.default_headers
        if headers is not self._rendered_for:  # uvicorn makes them anew each second, for the date
            self._rendered_for, self._rendered = headers, {}
        rendered = self._rendered.get(status)
        if rendered is None:
            rendered = self._rendered[status] = _render(status, headers)
        if keep_alive:
            self.transport.write(rendered)
        else:
            self.transport.write(rendered[:-2] + b"connection: close\r\n\r\n")
            self.transport.close()
        self.on_response_complete()

    # One timer for as long as a connection lives, where uvicorn makes and cancels one for each request.

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def on_response_complete(self) -> None:
        """Wait for the next request, if none is there yet."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_in(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if nothing has come for so long."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next answer starts it again
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s <= 0:
            super().timeout_keep_alive_handler()
        else:
            self._look_in(left_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _look_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


def _render(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join([*lines, b"content-length: 0", b"", b""])


def _raising(exc: Exception) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise exc

    return app
