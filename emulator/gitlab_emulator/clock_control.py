"""The route by which tests and people move the emulator's time: `/-/clock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitlab_emulator.clock import Clock, ClockError
from gitlab_emulator.gitlab_api.api import read_body
from gitlab_emulator.gitlab_api.bodies import MAX_BODY_BYTES, read_json
from gitlab_emulator.gitlab_api.call import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request


def clock_routes(clock: Clock) -> list[Route]:
    """GET `/-/clock` says what time it is; POST with `forward_s`, `speed` or both sets it."""

    async def show(_request: Request) -> Response:
        return JSONResponse({"now": clock().isoformat(), "speed": clock.speed})

    async def change(request: Request) -> Response:
        try:
            order = read_json(await read_body(request, MAX_BODY_BYTES) or b"{}")
            clock.set(**_numbers(order))
        except ClockError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except Refusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)
        except ClientDisconnect:
            return Response(status_code=400)
        return await show(request)

    return [
        Route("/-/clock", show, methods=["GET"]),
        Route("/-/clock", change, methods=["POST"]),
    ]


def _numbers(order: object) -> dict[str, float]:
    if not isinstance(order, dict) or not order.keys() <= {"forward_s", "speed"}:
        raise ClockError('the clock takes a JSON object such as {"forward_s": 60} or {"speed": 60}')
    for name, value in order.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ClockError(f"{name} must be a number")
    return order
