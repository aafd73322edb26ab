"""The emulator as one ASGI application: API, control routes and pages over one state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from emulator.calls import CallRecord
from emulator.control import control_routes
from emulator.faults import Faults
from emulator.gitlab_api.api import GitLabApi
from emulator.pages import page_routes
from emulator.seed import seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from emulator.state import State


def utc_now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


def create_app(
    state: State | None = None,
    *,
    token: str | None = None,
    external_url: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Starlette:
    """A GitLab with this state (default: `seed.seed()`), ready for uvicorn or a test's ASGI transport.

    `token` is the one access token that the API takes (None: any, or none). `external_url` is the
    address that links are made with (None: whatever address each request came to). What the app
    keeps can be reached as `app.state.gitlab`, `app.state.calls` and `app.state.faults`.
    """
    state = seed() if state is None else state
    calls, faults = CallRecord(), Faults()

    def base_url_of(request: Request) -> str:
        if external_url is not None:
            return external_url.rstrip("/")
        return f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"

    api = GitLabApi(state, calls, faults, token=token, base_url_of=base_url_of, clock=clock)
    app = Starlette(
        routes=[
            Route("/health", health, methods=["GET"]),
            Route("/api/{path:path}", api),
            *control_routes(calls, faults),
            *page_routes(state, calls, base_url_of=base_url_of),
        ]
    )
    app.router.redirect_slashes = False  # GitLab answers, it does not redirect
    app.state.gitlab, app.state.calls, app.state.faults = state, calls, faults
    return app


async def health(_request: Request) -> PlainTextResponse:
    """200 while the process lives."""
    return PlainTextResponse("ok\n")
