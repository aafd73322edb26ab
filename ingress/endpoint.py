"""What becomes of one request to ``POST /``: it is checked, read and kept, and there is one answer.

Whole requests may come by the short way (``ingress.short_way``), which asks :meth:`Receiver.begin`;
all others, and all with another server than ours, come as plain ASGI.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Final

import structlog
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocketClose

from hookyard.ledger.records import Delivery
from hookyard.settings.settings import decode_signing_token
from ingress import authentication, parsing
from ingress.acceptor import CannotKeep, Keeper, Kept
from ingress.body import (
    PATIENCE_S,
    REQUEST_BYTES,
    Disconnected,
    Holding,
    NotRead,
    Room,
    TooBusy,
    TooLarge,
    TooSlow,
    let_go,
    read_body,
)
from ingress.deadline import Patience

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send

    from hookyard.settings.settings import Settings
    from ingress.metrics import IngressMetrics

RETRY_AFTER_S: Final = 10
STATUS: Final = {Kept.IN_REDIS: 202, Kept.IN_SPOOL: 202, Kept.BEFORE: 200}
_HEADERS: Final = tuple((name, name.encode()) for name in parsing.READ_HEADERS)

log = structlog.get_logger("ingress")


class Receiver:
    """``POST /``: one request in, one delivery kept, 202 out."""

    def __init__(self, settings: Settings, keeper: Keeper, metrics: IngressMetrics) -> None:
        self._metrics = metrics
        self._counters = {kept: metrics.requests[status, kept.value] for kept, status in STATUS.items()}
        self._empty = {kept: Empty(status) for kept, status in STATUS.items()}
        self._tells_all = settings.log_level == "debug"
        self._keeper = keeper
        self._keys = authentication.make_keys(
            secret_tokens=tuple(token.get_secret_value() for token in settings.secret_tokens),
            signing_keys=tuple(
                decode_signing_token(token.get_secret_value()) for token in settings.signing_tokens
            ),
            tolerance_s=settings.signature_tolerance_s,
        )
        self.max_body_bytes: Final = settings.max_body_bytes
        self._patience = Patience(PATIENCE_S)
        self._holding = Holding(max_bytes=max(settings.max_held_bytes, settings.max_body_bytes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":  # GitLab speaks none
            await WebSocketClose()(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if answer is not None:
            await answer(scope, receive, send)

    def begin(self, request: Whole) -> asyncio.Future[bool] | ASGIApp:
        """Do what can be done at once for a request that is there as a whole, and ask Redis to keep it.

        :returns: what Redis will say, to be given to :meth:`end` or :meth:`end_late`; else what answers.
        """
        request.room = self._holding.room()
        try:
            request.room.take(REQUEST_BYTES + len(request.body))
        except TooBusy as exc:
            return self._not_read(exc)
        request.began = time.perf_counter()
        try:
            judged = self._judge(request.headers, request.body)
        except BaseException:
            request.let_go()
            raise
        if not isinstance(judged, Delivery):
            self._close(request)
            return judged
        request.delivery = judged
        asked = self._keeper.ask(judged)
        return self.end_late(request, None) if asked is None else asked

    def end(self, request: Whole, *, new: bool) -> int:
        """Return the status of the answer, which has no body: Redis has it."""
        kept = self._keeper.kept(new=new)
        self._note(request.delivery, kept)
        del request.delivery
        self._close(request)
        return STATUS[kept]

    def end_late(self, request: Whole, asked: asyncio.Future[bool] | None) -> ASGIApp:
        """Return what answers where Redis has failed (*asked*), or was not even asked."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                found = await self._keep(request.delivery, asked)
            finally:
                self._close(request)
            await found(scope, receive, send)

        return answer

    def _close(self, request: Whole) -> None:
        self._metrics.answer_seconds.observe(time.perf_counter() - request.began)
        request.let_go()

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp | None:
        """Return the answer, ``None`` when the client has gone away before its body was whole."""
        if scope["path"].removeprefix(scope.get("root_path", "")).strip("/"):
            return _plain(404, "there is nothing here: GitLab's webhooks go to /")
        if scope["method"] != "POST":
            return _plain(405, "GitLab's webhooks are POSTed here", allow="POST")
        raw = dict(scope["headers"][::-1])  # of a name that came twice, the first
        with self._holding.room() as room:
            try:
                body = await read_body(
                    raw.get(b"content-length"),
                    receive,
                    limit=self.max_body_bytes,
                    room=room,
                    patience=self._patience,
                )
            except Disconnected:
                return None
            except NotRead as exc:
                return HangUp(self._not_read(exc))
            began = time.perf_counter()
            judged = self._judge(raw, body)
            answer = await self._keep(judged, None) if isinstance(judged, Delivery) else judged
            self._metrics.answer_seconds.observe(time.perf_counter() - began)
            return answer

    def _not_read(self, why: NotRead) -> Response:
        if isinstance(why, TooLarge):
            return self._reject(413, "too_large", f"the body is over {self.max_body_bytes} bytes")
        if isinstance(why, TooSlow):
            return self._reject(408, "too_slow", "the body did not arrive in time")
        return self._busy("too_busy", "too much is being received just now, try again")

    def _judge(self, raw: dict[bytes, bytes], body: bytes) -> Delivery | Response:
        """Return the delivery that a request holds, or why it is refused."""
        now_s = time.time()
        proof = authentication.check(raw, body, keys=self._keys, now_s=now_s)
        if isinstance(proof, authentication.NotAuthentic):
            return self._reject(401, proof.reason, proof.detail)
        headers = {name: raw[key].decode("latin-1") for name, key in _HEADERS if key in raw}
        delivery = parsing.receive(
            headers,
            body,
            authenticated_by=proof.authenticated_by,
            received_ms=int(now_s * 1000),
            fresh_id=lambda: str(uuid.uuid4()),
        )
        if isinstance(delivery, parsing.Rejected):
            return self._reject(delivery.status, delivery.reason, delivery.detail)
        return delivery

    async def _keep(self, delivery: Delivery, asked: asyncio.Future[bool] | None) -> ASGIApp:
        try:
            kept = await self._keeper.keep(delivery, asked)
        except CannotKeep as exc:
            log.warning("delivery refused", delivery_id=delivery.id, reason=str(exc))
            return self._busy("cannot_keep", "it cannot be kept now, try again")
        self._note(delivery, kept)
        return self._empty[kept]

    def _note(self, delivery: Delivery, kept: Kept) -> None:
        self._counters[kept].inc()
        if kept is Kept.IN_SPOOL or self._tells_all:
            log.info("delivery accepted", delivery_id=delivery.id, how=kept.value)

    def _reject(self, status: int, reason: str, detail: str) -> Response:
        self._metrics.refused(status, reason)
        log.warning("request rejected", status=status, reason=reason, detail=detail)
        return _plain(status, detail)

    def _busy(self, reason: str, detail: str) -> Response:
        self._metrics.refused(503, reason)
        return _plain(503, detail, retry_after=str(RETRY_AFTER_S))


class Whole:
    """A request that is there as a whole: raw headers by lower-case name, and the body."""

    __slots__ = ("began", "body", "delivery", "headers", "room")

    room: Room
    began: float
    delivery: Delivery

    def __init__(self, headers: dict[bytes, bytes], body: bytes) -> None:
        self.headers = headers
        self.body = body

    def let_go(self) -> None:
        """Hold nothing any more: what stands for the request may live as long as its connection."""
        self.room.release()
        self.headers, self.body = {}, b""


def _plain(status: int, line: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PlainTextResponse(line + "\n", status_code=status, headers=named)


class Empty:
    """An answer without a body; its two messages are made once."""

    def __init__(self, status: int) -> None:
        self._start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", b"0")],
        }
        self._end = {"type": "http.response.body", "body": b""}

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await send(self._start)
        await send(self._end)


class HangUp:
    """*answer*, given before the whole body was read: the connection is closed after it, in good order."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer
        self._answer.headers["connection"] = "close"

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of the answer, see off what is left of the body, and only then end."""
        status, headers = self._answer.status_code, self._answer.raw_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self._answer.body, "more_body": True})
        await let_go(receive)
        await send({"type": "http.response.body", "body": b""})
