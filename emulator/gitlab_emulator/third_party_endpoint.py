"""Routes of the third party: `POST /api/endpoint` takes a job, `GET /-/jobs` lists them.

A job is whatever is posted. Its `some_parameter` comes from the query, or from a JSON or form body, and
may be missing; any other body, such as a file, is read and ignored.
"""

from __future__ import annotations

import json
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitlab_emulator.gitlab_api.bodies import FORM_TYPE, JSON_TYPE, fields, read_json
from gitlab_emulator.gitlab_api.call import Refusal
from gitlab_emulator.third_party import MAX_OPEN, TooManyJobsError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gitlab_emulator.third_party import ThirdParty

NAME = "some_parameter"
MULTIPART_TYPE = "multipart/form-data"
MAX_BODY_BYTES = 64 * 1024  # as much of a body is searched for the parameter
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
            raise _RefusedError(405, f"{request.method} is not allowed here: send a POST", Allow="POST")
        parameter = await _parameter(request)
        try:
            job = self._third_party.take(parameter)
        except TooManyJobsError as error:
            text = f"{MAX_OPEN} jobs are waiting for their callback: try again later"
            raise _RefusedError(503, text, **{"Retry-After": "5"}) from error
        return JSONResponse({"identifier": job.identifier, "success": True})


class _RefusedError(Exception):
    """A request that is refused; `text` tells its sender why."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


async def _parameter(request: Request) -> str | None:
    """Return ``some_parameter`` of the query, else of the body; None where neither has it."""
    body = await _beginning(request)
    query = fields(request.url.query)
    given = query if NAME in query else _body_fields(request.headers.get("content-type", ""), body)
    value = given.get(NAME)
    if value is None:
        return None
    if not isinstance(value, str | bool | int | float):
        raise _RefusedError(400, f"{NAME} must be text, a number, true or false")
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_PARAMETER_CHARS:
        raise _RefusedError(400, f"{NAME} is longer than {MAX_PARAMETER_CHARS} characters")
    return text


async def _beginning(request: Request) -> bytes:
    """Read the whole body, however large, and return its first `MAX_BODY_BYTES`."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk[: MAX_BODY_BYTES - len(found)]
    return bytes(found)


def _body_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object or a form; none of any other body, or of one that is not valid."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == FORM_TYPE:
            return fields(body.decode("utf-8", "replace"))
        if kind == MULTIPART_TYPE:
            return _multipart_fields(content_type, body)
        data = read_json(body) if kind in ("", JSON_TYPE) else None
    except (Refusal, ValueError):  # ValueError: a form of too many fields
        return {}
    return data if isinstance(data, dict) else {}


def _multipart_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields that are no files; what is not valid counts as none."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    found: dict[str, str] = {}
    for part in message_from_bytes(head + body).walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and part.get_filename() is None and isinstance(payload, bytes):
            found[name] = payload.decode("utf-8", "replace")
    return found
