"""The emulator's own routes, for tests and for the people who run it: `/-/faults` and `/-/calls`.

They ask for no token: whoever can reach the emulator may do with it what they like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.faults import FaultError, read_fault
from emulator.gitlab_api.api import read_body
from emulator.gitlab_api.bodies import MAX_BODY_BYTES, read_json
from emulator.gitlab_api.call import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from emulator.calls import CallRecord
    from emulator.faults import Faults


def control_routes(calls: CallRecord, faults: Faults) -> list[Route]:
    """GET, POST, DELETE `/-/faults`; GET, DELETE `/-/calls`.

    Lists are JSON arrays, oldest first. POST takes the fields of `faults.Fault` and answers 201 with
    what now waits, or 400 with a line that names the field at fault. DELETE answers 204.
    """

    async def order_fault(request: Request) -> Response:
        try:
            body = await read_body(request, MAX_BODY_BYTES)
            faults.order(read_fault(read_json(body or b"")))
        except FaultError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except Refusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)
        except ClientDisconnect:
            return Response(status_code=400)
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
        Route("/-/faults", order_fault, methods=["POST"]),
        Route("/-/faults", list_faults, methods=["GET"]),
        Route("/-/faults", clear_faults, methods=["DELETE"]),
        Route("/-/calls", list_calls, methods=["GET"]),
        Route("/-/calls", clear_calls, methods=["DELETE"]),
    ]
