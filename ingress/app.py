"""The ingress as an ASGI application: checks, reads and keeps each webhook, and answers at once.

``POST /`` is plain ASGI, since it is the one path that must be fast; it never redirects, because
GitLab would come back with a GET.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocketClose

from deliveries import logs
from deliveries.connection import close, open_redis, stop
from deliveries.ledger import Ledger
from deliveries.metrics import CONTENT_TYPE
from deliveries.patience import Patience
from deliveries.queue import Names
from deliveries.settings import (
    Settings,
    decode_signing_token,
    ingress_faults,
    load_or_exit,
    unknown_variables,
)
from ingress import authenticity, reception
from ingress.body import PATIENCE_S, Holding, NotRead, TooBusy, TooLarge, TooSlow, let_go, read_body
from ingress.keeping import CannotKeep, Keeper, Kept
from ingress.metrics import IngressMetrics
from ingress.scraping import Scraping
from ingress.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

RETRY_AFTER_S: Final = 10
_HEADERS: Final = tuple((name, name.encode()) for name in reception.READ_HEADERS)

log = structlog.get_logger("ingress")


def create_app(
    settings: Settings | None = None, *, is_stopping: Callable[[], bool] = lambda: False
) -> Starlette:
    """Return the ingress.

    :param settings: read from the environment when not given, as ``uvicorn --factory`` does; then
        settings that cannot be used end the process with exit code 2 and one message.
    :param is_stopping: once it says so, ``/ready`` answers 503, so that a load balancer looks elsewhere.
    """
    if settings is None:
        settings = load_or_exit(ingress_faults)
        logs.configure("ingress", level=settings.log_level, log_format=settings.log_format)
    # without a timeout of redis-py's, which costs a task for each command; ledger and keeper have theirs
    redis = open_redis(settings.redis_url, timeout_s=None)
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_bytes) if settings.spool_dir else None
    ledger = Ledger(
        redis,
        Names(prefix=settings.prefix),
        min_replicas=settings.min_replicas,
        replicas_timeout_s=settings.redis_timeout_s / 2,
        accept_timeout_s=settings.redis_timeout_s,
    )
    counted = IngressMetrics()
    keeper = Keeper(ledger, spool, timeout_s=settings.redis_timeout_s, metrics=counted)
    receiver = Receiver(settings, keeper, counted)
    scraping = Scraping(settings, counted, spool)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        for warning in unknown_variables():
            log.warning(warning)
        if spool is not None:
            await spool.open()
        scraping.open()
        looking_after = asyncio.create_task(keeper.look_after(), name="look-after")
        log.info(
            "ingress ready",
            redis=settings.masked_redis_url,
            spool=str(settings.spool_dir or "none"),
            secret_tokens=len(settings.secret_tokens),
            signing_tokens=len(settings.signing_tokens),
        )
        yield
        await stop(looking_after)
        if spool is not None:
            await spool.close()
        scraping.close()
        await close(redis)

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        found = await keeper.readiness()
        is_ready = found.is_ready and not is_stopping()
        state: dict[str, object] = {"ready": is_ready, "stopping": is_stopping()}
        state["redis"] = {
            "ok": found.redis_fault is None,
            "url": settings.masked_redis_url,
            "error": found.redis_fault,
        }
        state["spool"] = {
            "enabled": spool is not None,
            "waiting": found.spool.waiting if found.spool else None,
            "used_bytes": found.spool.used_bytes if found.spool else None,
            "max_bytes": found.spool.max_bytes if found.spool else None,
            "error": found.spool_fault,
        }
        return Response(
            json.dumps(state) + "\n", status_code=200 if is_ready else 503, media_type="application/json"
        )

    async def metrics(_request: Request) -> Response:
        return Response(await scraping.text(), media_type=CONTENT_TYPE)

    app = Ingress(
        receiver,
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = receiver  # a Mount("/") would not match the empty path
    return app


class Ingress(Starlette):
    """The application. A webhook goes straight to its receiver; routing would cost as much as parsing."""

    def __init__(self, receiver: Receiver, **options: Any) -> None:
        super().__init__(**options)
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/":
            await self._receiver(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Receiver:
    """``POST /``: one request in, one delivery kept, 202 out."""

    def __init__(self, settings: Settings, keeper: Keeper, metrics: IngressMetrics) -> None:
        self._metrics = metrics
        self._answers = {
            kept: (Empty(status), metrics.requests[status, kept.value])
            for kept, status in ((Kept.IN_REDIS, 202), (Kept.IN_SPOOL, 202), (Kept.BEFORE, 200))
        }
        self._tells_all = settings.log_level == "debug"
        self._keeper = keeper
        self._keys = authenticity.make_keys(
            secret_tokens=tuple(token.get_secret_value() for token in settings.secret_tokens),
            signing_keys=tuple(
                decode_signing_token(token.get_secret_value()) for token in settings.signing_tokens
            ),
            tolerance_s=settings.signature_tolerance_s,
        )
        self._max_body_bytes = settings.max_body_bytes
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
                    limit=self._max_body_bytes,
                    room=room,
                    patience=self._patience,
                )
            except NotRead as exc:
                refusal = self._not_read(exc)
                return HangUp(refusal) if refusal else None
            began = time.perf_counter()
            answer = await self._keep(raw, body)
            self._metrics.answer_seconds.observe(time.perf_counter() - began)
            return answer

    def _not_read(self, why: NotRead) -> Response | None:
        match why:
            case TooLarge():
                return self._reject(413, "too_large", f"the body is over {self._max_body_bytes} bytes")
            case TooSlow():
                return self._reject(408, "too_slow", "the body did not arrive in time")
            case TooBusy():
                return self._busy("too_busy", "too much is being received just now, try again")
            case _:
                return None

    async def _keep(self, raw: dict[bytes, bytes], body: bytes) -> ASGIApp:
        now_s = time.time()
        proof = authenticity.check(raw, body, keys=self._keys, now_s=now_s)
        if isinstance(proof, authenticity.NotAuthentic):
            return self._reject(401, proof.reason, proof.detail)
        headers = {name: raw[key].decode("latin-1") for name, key in _HEADERS if key in raw}
        delivery = reception.receive(
            headers,
            body,
            vouched_by=proof.vouched_by,
            received_ms=int(now_s * 1000),
            fresh_id=lambda: str(uuid.uuid4()),
        )
        if isinstance(delivery, reception.Rejected):
            return self._reject(delivery.status, delivery.reason, delivery.detail)
        try:
            kept = await self._keeper.keep(delivery)
        except CannotKeep as exc:
            log.warning("delivery refused", delivery_id=delivery.id, reason=str(exc))
            return self._busy("cannot_keep", "it cannot be kept now, try again")
        answer, counter = self._answers[kept]
        counter.add()
        if kept is Kept.IN_SPOOL or self._tells_all:
            log.info("delivery accepted", delivery_id=delivery.id, how=kept.value)
        return answer

    def _reject(self, status: int, reason: str, detail: str) -> Response:
        self._metrics.refused(status, reason)
        log.warning("request rejected", status=status, reason=reason, detail=detail)
        return _plain(status, detail)

    def _busy(self, reason: str, detail: str) -> Response:
        self._metrics.refused(503, reason)
        return _plain(503, detail, retry_after=str(RETRY_AFTER_S))


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
