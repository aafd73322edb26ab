"""The webhook endpoint, ``POST /``: judge the head → read the body → judge it → accept → answer.

A plain ASGI callable, since it is the one path that must be fast. A value passes each step once; a
step that refuses ends the way with a :class:`~ingress.refusal.Refusal`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Final

import structlog
from starlette.responses import PlainTextResponse

from hookyard.ledger.records import Delivery
from hookyard.settings.settings import decode_signing_token
from ingress.acceptor import Accepted, NotAccepted
from ingress.authentication import Signed, contradiction, credentials_of_all, make_credentials, verify
from ingress.body import BodyTooLarge, BodyTooSlow, Disconnected, discard_rest, read_body
from ingress.head import IS_KNOWN, Head, judge_head, too_large
from ingress.memory_budget import SMALL_BYTES, MemoryBudget, OverBudget
from ingress.parsing import LARGE_BYTES, parse_delivery
from ingress.refusal import Refusal
from ingress.refusal_log import RefusalLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from hookyard.settings.settings import Settings
    from ingress.acceptor import Acceptor
    from ingress.authentication import Credentials
    from ingress.metrics import IngressMetrics

RETRY_AFTER_S: Final = 10
STATUS: Final = {Accepted.NEW: 202, Accepted.SPOOLED: 202, Accepted.DUPLICATE: 200}
_OF_THE_HEAD: Final = {400, 401, 415}
_EMPTY_BODY: Final = {"type": "http.response.body", "body": b""}
_EMPTY_START: Final = {
    status: {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]}
    for status in STATUS.values()
}

log = structlog.get_logger("ingress")


class Endpoint:
    """One request in, one delivery in the ledger, 202 out."""

    def __init__(self, settings: Settings, acceptor: Acceptor, metrics: IngressMetrics) -> None:
        self._acceptor = acceptor
        self._metrics = metrics
        self._accepted_counters = {
            accepted: metrics.requests[status, accepted.value] for accepted, status in STATUS.items()
        }
        self._refusals = RefusalLog(log)
        self._logs_all = settings.log_level == "debug"
        self._credentials = _credentials(settings)
        self._max_body_bytes: Final = settings.max_body_bytes
        self._budget = MemoryBudget(max_bytes=max(settings.max_held_bytes, settings.max_body_bytes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"].removeprefix(scope.get("root_path", "")).strip("/"):
            answer = _plain_text(404, "there is nothing here; point GitLab's webhooks to /")
            await answer(scope, receive, send)
            return
        if scope["method"] != "POST":
            answer = _plain_text(405, "only POST is answered here, as GitLab's webhooks use it", allow="POST")
            await answer(scope, receive, send)
            return
        headers = dict(scope["headers"][::-1])  # of a repeated name, the first
        head = judge_head(
            headers,
            credentials=self._credentials,
            now_s=time.time(),
            max_body_bytes=self._max_body_bytes,
            new_id=_new_id,
        )
        if isinstance(head, Refusal):
            await self._refuse_unread(head, headers, receive, send)
            return
        is_stranger = isinstance(head.authenticated, Signed)
        if not is_stranger:
            scope[IS_KNOWN] = True
        try:
            body, reservation = await read_body(
                receive,
                announced=head.announced_bytes,
                max_bytes=self._max_body_bytes,
                budget=self._budget,
                is_stranger=is_stranger,
            )
        except Disconnected:
            return
        except (BodyTooLarge, BodyTooSlow, OverBudget) as exc:
            await self._refuse_unread(self._unread(exc), headers, receive, send)
            return
        with reservation:
            began_s = time.perf_counter()
            outcome: Delivery | Accepted | Refusal
            if len(body) > LARGE_BYTES:
                outcome = await asyncio.to_thread(self._judge, head, body)
            else:
                outcome = self._judge(head, body)
            if isinstance(outcome, Delivery):
                outcome = await self._accept(outcome)
            self._metrics.answer_seconds.observe(time.perf_counter() - began_s)
        if isinstance(outcome, Refusal):
            await self._refuse(outcome)(scope, receive, send)
        else:
            await send(_EMPTY_START[STATUS[outcome]])
            await send(_EMPTY_BODY)

    def _judge(self, head: Head, body: bytes) -> Delivery | Refusal:
        return judge(head, body, credentials=self._credentials)

    async def _accept(self, delivery: Delivery) -> Accepted | Refusal:
        try:
            accepted = await self._acceptor.accept(delivery)
        except NotAccepted as exc:
            log.warning("delivery not accepted", delivery_id=delivery.id, reason=str(exc))
            return Refusal(
                status=503, reason="cannot_keep", detail="the delivery cannot be stored now; send it again"
            )
        self._accepted_counters[accepted].inc()
        if accepted is Accepted.SPOOLED or self._logs_all:
            log.info("delivery accepted", delivery_id=delivery.id, how=accepted.value)
        return accepted

    def _unread(self, exc: BodyTooLarge | BodyTooSlow | OverBudget) -> Refusal:
        if isinstance(exc, BodyTooLarge):
            return too_large(self._max_body_bytes)
        if isinstance(exc, BodyTooSlow):
            return Refusal(status=408, reason="too_slow", detail="the body did not arrive in time")
        detail = "too many bodies are being received at the moment; send it again"
        return Refusal(status=503, reason="too_busy", detail=detail)

    async def _refuse_unread(
        self, refusal: Refusal, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer before the body was read.

        What is left of a small body is dropped by the server. For any other the connection ends: all of the
        answer is sent, the rest of the body read and dropped for a while, and only then is it closed.
        """
        answer = self._refuse(refusal)
        length = headers.get(b"content-length", b"0")
        is_small = length.isdigit() and int(length[:20]) <= SMALL_BYTES
        is_in_frame = refusal.status in _OF_THE_HEAD and b"transfer-encoding" not in headers
        if is_small and is_in_frame and b"expect" not in headers:
            await send(
                {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
            )
            await send({"type": "http.response.body", "body": answer.body})
            return
        answer.headers["connection"] = "close"
        await send(
            {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
        )
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        await discard_rest(receive)
        await send(_EMPTY_BODY)

    def _refuse(self, refusal: Refusal) -> PlainTextResponse:
        """Count and log *refusal*, and return its answer."""
        self._metrics.refused(refusal.status, refusal.reason)
        if refusal.status == 503:  # noqa: PLR2004 - 503 is 503
            return _plain_text(503, refusal.detail, retry_after=str(RETRY_AFTER_S))
        self._refusals.note(refusal, now_s=time.monotonic())
        return _plain_text(refusal.status, refusal.detail)


def judge(head: Head, body: bytes, *, credentials: Credentials) -> Delivery | Refusal:
    """Return the delivery that a request holds if it is authentic, else the reason for its refusal."""
    if head.announced_bytes and len(body) != head.announced_bytes:  # a server that mistakes the frame
        detail = "the body is not as long as its Content-Length says"
        return Refusal(status=400, reason="malformed", detail=detail)
    authenticated = head.authenticated
    if isinstance(authenticated, Signed):
        verified = verify(authenticated, body, credentials=credentials)
        if isinstance(verified, Refusal):
            return verified
        said = head.headers.get("x-gitlab-instance", "").encode()
        refusal = contradiction(verified, {b"x-gitlab-instance": said} if said else {}, credentials)
        if refusal is not None:
            return refusal
        authenticated = verified
    return parse_delivery(head, body, sender=authenticated)


def _credentials(settings: Settings) -> Credentials:
    """Return what webhooks are authenticated by, those of several GitLabs together."""
    each = [
        make_credentials(
            secret_tokens=tuple(token.get_secret_value() for token in one.secret_tokens),
            signing_keys=tuple(
                decode_signing_token(token.get_secret_value()) for token in one.signing_tokens
            ),
            tolerance_s=settings.signature_tolerance_s,
            source=source,
        )
        for source, one in settings.by_source.items()
    ]
    addresses = {name: one.gitlab_url for name, one in settings.by_source.items()} if settings.sources else {}
    return credentials_of_all(each, addresses)


def _new_id() -> str:
    return str(uuid.uuid4())


def _plain_text(status: int, line: str, **headers: str) -> PlainTextResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PlainTextResponse(line + "\n", status_code=status, headers=named)
