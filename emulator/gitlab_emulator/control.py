"""The emulator's own routes, for tests and for the people who run it, but for that of the clock.

They ask for no token: anyone who can reach the emulator controls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitlab_emulator import token_specs
from gitlab_emulator.faults import FaultError, read_fault
from gitlab_emulator.gitlab_api.api import read_body
from gitlab_emulator.gitlab_api.bodies import MAX_BODY_BYTES, read_json
from gitlab_emulator.gitlab_api.call import Refusal
from gitlab_emulator.gitlab_api.limits import RateLimitError, read_per_minute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from gitlab_emulator.calls import CallRecord
    from gitlab_emulator.faults import Faults
    from gitlab_emulator.gitlab_api.limits import RateLimit
    from gitlab_emulator.state import State


def control_routes(calls: CallRecord, faults: Faults) -> list[Route]:
    """GET, POST, DELETE `/-/faults`; GET, DELETE `/-/calls`.

    Lists are JSON arrays, oldest first. POST takes the fields of `faults.Fault` and answers 201 with
    what now waits, or 400 with a line that names the field at fault. DELETE answers 204.
    """

    def order_fault(data: Any) -> Response:
        faults.order(read_fault(data))
        return JSONResponse(faults.as_json(), status_code=201)

    async def list_faults(_request: Request) -> Response:
        return JSONResponse(faults.as_json())

    async def clear_faults(_request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def list_calls(_request: Request) -> Response:
        return JSONResponse([call.as_json() for call in calls])

    async def clear_calls(_request: Request) -> Response:
        calls.clear()
        return Response(status_code=204)

    return [
        Route("/-/faults", _ordering(order_fault), methods=["POST"]),
        Route("/-/faults", list_faults, methods=["GET"]),
        Route("/-/faults", clear_faults, methods=["DELETE"]),
        Route("/-/calls", list_calls, methods=["GET"]),
        Route("/-/calls", clear_calls, methods=["DELETE"]),
    ]


def access_routes(
    state: State, limit: RateLimit, *, clock: Callable[[], datetime], changed: Callable[[], None]
) -> list[Route]:
    """GET, POST, DELETE `/-/tokens`; GET, PUT `/-/rate_limit`.

    POST takes the fields of `token_specs.TokenSpec`; as soon as one token is registered, only
    registered ones are taken. PUT takes `{"per_minute": 5}`, or null to turn nobody away. `changed` is
    called after a change of the state.
    """

    def order_token(data: Any) -> Response:
        token = token_specs.register(state, token_specs.read_spec(data), clock())
        changed()
        return JSONResponse(token_specs.as_json(state, token), status_code=201)

    async def list_tokens(_request: Request) -> Response:
        return JSONResponse([token_specs.as_json(state, token) for token in state.tokens.values()])

    async def clear_tokens(_request: Request) -> Response:
        state.tokens.clear()
        changed()
        return Response(status_code=204)

    def set_limit(data: Any) -> Response:
        limit.per_minute = read_per_minute(data)
        return JSONResponse({"per_minute": limit.per_minute})

    async def show_limit(_request: Request) -> Response:
        return JSONResponse({"per_minute": limit.per_minute})

    return [
        Route("/-/tokens", _ordering(order_token), methods=["POST"]),
        Route("/-/tokens", list_tokens, methods=["GET"]),
        Route("/-/tokens", clear_tokens, methods=["DELETE"]),
        Route("/-/rate_limit", _ordering(set_limit), methods=["PUT"]),
        Route("/-/rate_limit", show_limit, methods=["GET"]),
    ]


def _ordering(order: Callable[[Any], Response]) -> Callable[[Request], Awaitable[Response]]:
    """A route that reads JSON and carries out what it says; 400 with a line when that makes no sense."""

    async def route(request: Request) -> Response:
        try:
            body = await read_body(request, MAX_BODY_BYTES)
            return order(read_json(body or b""))
        except (FaultError, RateLimitError, token_specs.TokenError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except Refusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)
        except ClientDisconnect:
            return Response(status_code=400)

    return route
