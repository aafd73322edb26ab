"""How the third-party stand-in is spoken to: `POST /api/endpoint` takes a job, `GET /-/jobs` lists them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitlab_emulator.gitlab_api.api import read_body
from gitlab_emulator.gitlab_api.bodies import FORM_TYPE, JSON_TYPE, fields, read_json
from gitlab_emulator.gitlab_api.call import Refusal
from gitlab_emulator.third_party import MAX_OPEN, TooManyJobsError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gitlab_emulator.third_party import ThirdParty

MAX_BODY_BYTES = 64 * 1024
MAX_PARAMETER_CHARS = 1_000  # it goes into an address, percent-encoded, and servers take about 8 KB of that


def third_party_routes(third_party: ThirdParty) -> list[Route]:
    """The routes; they must stand before GitLab's, which take everything else under `/api`."""

    async def list_jobs(_request: Request) -> Response:
        return JSONResponse([job.as_json() for job in third_party.jobs()])

    return [
        Route("/api/endpoint", _Endpoint(third_party)),
        Route("/-/jobs", list_jobs, methods=["GET"]),
    ]


class _Endpoint:
    """Every method of `/api/endpoint`. A class, since a function's route would leave GET to GitLab's API."""

    def __init__(self, third_party: ThirdParty) -> None:
        self._third_party = third_party

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(Request(scope, receive))
        except _RefusedError as refused:
            shown = {"success": False, "error": refused.text}
            response = JSONResponse(shown, status_code=refused.status, headers=refused.headers)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise _RefusedError(405, f"{request.method} is not done here: send a POST", Allow="POST")
        parameter = _some_parameter(await _read(request))
        try:
            job = self._third_party.take(parameter)
        except TooManyJobsError as error:
            text = f"{MAX_OPEN} jobs wait for their callback, and no more are taken: try again later"
            raise _RefusedError(503, text, **{"Retry-After": "5"}) from error
        return JSONResponse({"identifier": job.identifier, "success": True})


class _RefusedError(Exception):
    """A request that is not taken; `text` is for whoever sent it."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


async def _read(request: Request) -> object:
    """The body's meaning: JSON, or a form's fields."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON_TYPE, FORM_TYPE):
        raise _RefusedError(415, f"the content type must be {JSON_TYPE} or {FORM_TYPE}")
    body = await read_body(request, MAX_BODY_BYTES)
    if body is None:
        raise _RefusedError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        return read_json(body) if kind == JSON_TYPE else fields(body.decode("utf-8", "replace"))
    except (Refusal, ValueError) as error:  # ValueError: a form of too many fields
        raise _RefusedError(400, "the body cannot be read: it must be valid JSON, or a form") from error


def _some_parameter(given: object) -> str:
    """The parameter of a parsed body, as text; refused when there is none that can go into an address."""
    example = 'such as {"some_parameter": "soil"}'
    if not isinstance(given, dict):
        raise _RefusedError(400, f"the body must be an object, {example}")
    value = given.get("some_parameter")
    if value is None:
        raise _RefusedError(400, f"some_parameter is missing: send one, {example}")
    if not isinstance(value, str | bool | int | float):
        raise _RefusedError(400, "some_parameter must be text, a number, true or false")
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_PARAMETER_CHARS:
        raise _RefusedError(400, f"some_parameter is longer than {MAX_PARAMETER_CHARS} characters")
    return text
