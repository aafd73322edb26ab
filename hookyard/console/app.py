"""The console, put together: pages, API, and what every request passes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles

from hookyard.cancellation import cancel_and_wait
from hookyard.console import answers
from hookyard.console.api import acting, reading
from hookyard.console.guard import Guard
from hookyard.console.pages import forms, lists, overview, sign_in, single
from hookyard.console.services import make_services
from hookyard.redis.client import close
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hookyard.settings.settings import Settings

log = logs.get_logger("console")

STATIC: Final = Path(__file__).parent / "static"
VERSION: Final = "1"


def create_app(settings: Settings) -> FastAPI:
    """Return the console; its settings were checked with ``console_faults``."""
    services = make_services(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        orders = asyncio.create_task(services.orders.carry_out(), name="orders")
        log.info(
            "console ready",
            redis=settings.masked_redis_url,
            users=len(settings.console_users),
            tokens=len(settings.console_tokens),
        )
        yield
        await cancel_and_wait(orders)
        await services.changes.close()
        await close(services.redis)

    app = FastAPI(
        title="Hookyard",
        summary="Deliveries of GitLab's webhooks: see everything, replay anything.",
        version=VERSION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.services = services
    for router in (reading.router, acting.router):
        app.include_router(router, prefix="/api/v1")
    for router in (overview.router, lists.router, single.router, forms.router, sign_in.router):
        app.include_router(router, include_in_schema=False)

    @app.get("/health", include_in_schema=False)
    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    answers.install(app)
    app.add_middleware(
        Guard, names=settings.console_hosts, sessions=services.sessions, directory=services.directory
    )
    _document_security(app)
    return app


def _document_security(app: FastAPI) -> None:
    """Have the OpenAPI document say that each route takes a token, and what an error looks like."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = made()
            components = found.setdefault("components", {})
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            components.setdefault("schemas", {})["Problem"] = {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            }
            found["security"] = [{"token": []}]
        schema: dict[str, Any] = app.openapi_schema or {}
        return schema

    app.openapi = document  # type: ignore[method-assign]
