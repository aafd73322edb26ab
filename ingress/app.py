"""The ingress as an ASGI application, put together from its settings."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hookyard.cancellation import cancel_and_wait
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.redis.client import close, open_redis
from hookyard.settings.settings import Settings, ingress_faults, load_or_exit
from hookyard.settings.unknown import unknown_variables
from hookyard.telemetry import logs
from ingress.acceptor import Acceptor
from ingress.endpoint import Endpoint
from ingress.metrics import IngressMetrics
from ingress.metrics_endpoint import MetricsEndpoint
from ingress.own_names import is_foreign
from ingress.spool.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

log = structlog.get_logger("ingress")


def create_app(
    settings: Settings | None = None,
    *,
    metrics: IngressMetrics | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Starlette:
    """Return the ingress.

    :param settings: read from the environment when not given, as ``uvicorn --factory`` does; then
        settings that cannot be used end the process with exit code 2 and one message.
    :param metrics: made when not given.
    :param is_stopping: once it returns true, ``/ready`` answers 503, so that a load balancer turns elsewhere.
    """
    if settings is None:
        settings = load_or_exit(ingress_faults)
        logs.configure("ingress", level=settings.log_level, log_format=settings.log_format)
    # without redis-py's timeout, which costs a task for each command; ledger and acceptor have their own
    redis = open_redis(settings.redis_url, timeout_s=None)
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_bytes) if settings.spool_dir else None
    ledger = Ledger(
        redis,
        LedgerKeys(prefix=settings.prefix),
        min_replicas=settings.min_replicas,
        replicas_timeout_s=settings.redis_timeout_s / 2,
        accept_timeout_s=settings.redis_timeout_s,
    )
    counted = metrics or IngressMetrics()
    acceptor = Acceptor(ledger, spool, timeout_s=settings.redis_timeout_s, metrics=counted)
    endpoint = Endpoint(settings, acceptor, counted)
    metrics_endpoint = MetricsEndpoint(settings, counted, spool)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        for warning in unknown_variables():
            log.warning(warning)
        if spool is not None:
            await spool.open()
        maintaining = asyncio.create_task(acceptor.maintain(), name="maintain")
        log.info(
            "ingress ready",
            redis=settings.masked_redis_url,
            spool=str(settings.spool_dir or "none"),
            sources=",".join(settings.by_source),
            secret_tokens=sum(len(one.secret_tokens) for one in settings.by_source.values()),
            signing_tokens=sum(len(one.signing_tokens) for one in settings.by_source.values()),
        )
        yield
        await cancel_and_wait(maintaining)
        if spool is not None:
            await spool.close()
        metrics_endpoint.close()
        await close(redis)

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        found = await acceptor.readiness()
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

    app = Ingress(
        endpoint,
        allowed_hosts=tuple(name.strip("[]") for name in settings.allowed_hosts),
        refused=counted.refused,
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics_endpoint.answer),
        ],
        lifespan=lifespan,
    )
    # never a redirect, which GitLab would follow with a GET; a Mount("/") would not match the empty path
    app.router.redirect_slashes = False
    app.router.default = endpoint
    return app


class Ingress(Starlette):
    """The application. Webhooks go straight to their endpoint; routing would cost as much as parsing."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        allowed_hosts: Collection[str],
        refused: Callable[[int, str], None],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._endpoint = endpoint
        self._allowed_hosts = allowed_hosts
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if (
            self._allowed_hosts
            and scope["type"] == "http"
            and is_foreign(scope["headers"], self._allowed_hosts)
        ):
            self._refused(400, "foreign_host")
            line = "Host or Origin is none of HOOKYARD_ALLOWED_HOSTS, or there is no Host\n"
            await PlainTextResponse(line, status_code=400, headers={"connection": "close"})(
                scope, receive, send
            )
        elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/":
            await self._endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
