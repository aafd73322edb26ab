"""The emulator as one ASGI application: API, control routes and pages over one state."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gitlab_emulator.browser_guard import BrowserGuard, hostname
from gitlab_emulator.calls import CallRecord
from gitlab_emulator.clock import Clock, utc_now
from gitlab_emulator.clock_control import clock_routes
from gitlab_emulator.control import access_routes, control_routes
from gitlab_emulator.faults import Faults
from gitlab_emulator.gitlab_api.api import GitLabApi
from gitlab_emulator.gitlab_api.limits import RateLimit
from gitlab_emulator.hooks.hooks import INSTANCE, Hooks
from gitlab_emulator.hooks.request import NEWEST, Version
from gitlab_emulator.pages.routes import page_routes
from gitlab_emulator.seed import seed
from gitlab_emulator.state_keeper import StateKeeper
from gitlab_emulator.third_party import ThirdParty
from gitlab_emulator.third_party_endpoint import third_party_routes
from gitlab_emulator.token_specs import register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from starlette.requests import Request

    from gitlab_emulator.state import State
    from gitlab_emulator.token_specs import TokenSpec


def create_app(  # noqa: PLR0913 - one parameter for each option of the command
    state: State | None = None,
    *,
    token: str | None = None,
    external_url: str | None = None,
    clock: Callable[[], datetime] = utc_now,
    version: Version = NEWEST,
    third_party: ThirdParty | None = None,
    tokens: Sequence[TokenSpec] = (),
    rate_limit: int | None = None,
    state_path: Path | None = None,
    allowed_hosts: Collection[str] = (),
) -> Starlette:
    """A GitLab with this state (default: `seed.seed()`), ready for uvicorn or a test's ASGI transport.

    `token` is an access token that may do everything, `tokens` are more, with the rights of their
    accounts; without both the API takes any token, or none. `rate_limit` is how many calls an account
    may make in a minute (None: any number). `state_path` is the file that the state is written to after
    changes (`state_file.load` reads it). `external_url` is the address that links are made with (None:
    whatever address each request was sent to); `allowed_hosts` are further public names under which it may
    be called (see `browser_guard`). `clock` may be sped up through `/-/clock`; `version` is the
    GitLab whose webhooks are sent. What the app keeps can be reached as `app.state.gitlab`, `.calls`,
    `.faults`, `.hooks`, `.clock` and `.third_party`. Its lifespan ends outstanding work; without one,
    call `app.state.hooks.aclose()`.
    """
    state = seed() if state is None else state
    calls, faults = CallRecord(), Faults()
    watch = Clock(clock)
    keeper = None if state_path is None else StateKeeper(state, state_path)
    changed = keeper.changed if keeper is not None else lambda: None
    hooks = Hooks(state, clock=watch, version=version, instance=external_url or INSTANCE, changed=changed)
    third_party = third_party or ThirdParty(None, clock=watch)
    limit = RateLimit(rate_limit)
    for order in tokens:
        register(state, order, watch())

    def base_url_of(request: Request) -> str:
        if external_url is not None:
            return external_url.rstrip("/")
        return f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await hooks.aclose()
        await third_party.aclose()
        if keeper is not None:
            await keeper.aclose()

    api = GitLabApi(
        state,
        calls,
        faults,
        token=token,
        hooks=hooks,
        limit=limit,
        base_url_of=base_url_of,
        clock=watch,
        changed=changed,
    )
    app = Starlette(
        routes=[
            Route("/health", health, methods=["GET"]),
            *third_party_routes(third_party),  # before GitLab's API, which takes all of /api
            Route("/api/{path:path}", api),
            *control_routes(calls, faults),
            *access_routes(state, limit, clock=watch, changed=changed),
            *clock_routes(watch),
            *page_routes(
                state,
                calls=calls,
                faults=faults,
                hooks=hooks,
                clock=watch,
                third_party=third_party,
                base_url_of=base_url_of,
                changed=changed,
            ),
        ],
        lifespan=lifespan,
        middleware=[Middleware(BrowserGuard, hosts={hostname(external_url or ""), *allowed_hosts})],
    )
    app.router.redirect_slashes = False  # GitLab answers, it does not redirect
    app.state.gitlab, app.state.calls, app.state.faults = state, calls, faults
    app.state.hooks, app.state.clock, app.state.third_party = hooks, watch, third_party
    return app


async def health(_request: Request) -> PlainTextResponse:
    """200 while the process lives."""
    return PlainTextResponse("ok\n")
