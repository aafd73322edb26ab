"""Errors as answers: problem+json for programs, a page for people, both with what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from hookyard.console.access import Refused
from hookyard.console.changes import TooManyFollowers
from hookyard.console.filters import FilterError
from hookyard.console.pages.rendering import render
from hookyard.redis.errors import is_redis_away

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

RETRY_S: Final = 3


class Problem(TypedDict):
    """An error as RFC 9457 has it; ``detail`` says what to do."""

    type: str
    title: str
    status: int
    detail: str


class NotThere(Exception):
    """What is asked for does not exist; its text says why that may be."""


class Conflict(Exception):
    """What is asked for cannot be done as things stand."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of a route, for its OpenAPI document."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (401, 403, 421, 503, *statuses)
    }


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error for a program."""
    told: Problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(told, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Have *app* answer every error that a route may raise."""

    async def refused(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, Refused)  # noqa: S101 - registered for it alone
        if exc.status == HTTPStatus.UNAUTHORIZED and not _is_api(request):
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            if request.method != "GET":
                target = "/"
            return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", HTTPStatus.SEE_OTHER)
        headers = {"www-authenticate": "Bearer"} if exc.status == HTTPStatus.UNAUTHORIZED else {}
        return _answer(request, exc.status, exc.detail, headers)

    async def invalid(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)  # noqa: S101 - the same
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in exc.errors()
        )
        return _answer(request, 422, faults)

    async def by_status(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)  # noqa: S101 - the same
        detail = "There is no such page." if exc.status_code == HTTPStatus.NOT_FOUND else exc.detail
        return _answer(request, exc.status_code, detail, dict(exc.headers or {}))

    async def away(request: Request, exc: Exception) -> Response:
        if not is_redis_away(exc):
            raise exc
        text = f"Redis does not answer just now ({type(exc).__name__}). Webhooks are still accepted."
        return _answer(request, 503, text, {"retry-after": str(RETRY_S)})

    def saying(status: int) -> Any:
        async def answer(request: Request, exc: Exception) -> Response:
            return _answer(request, status, str(exc))

        return answer

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(NotThere, saying(404))
    app.add_exception_handler(Conflict, saying(409))
    app.add_exception_handler(FilterError, saying(422))
    app.add_exception_handler(RedisError, away)
    app.add_exception_handler(OSError, away)
    app.add_exception_handler(TooManyFollowers, saying(503))


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    if _is_api(request):
        return problem(status, detail, headers)
    answer = render(
        request,
        "error.html",
        status=status,
        title=HTTPStatus(status).phrase,
        detail=detail,
        again_s=RETRY_S if status == HTTPStatus.SERVICE_UNAVAILABLE else None,
    )
    answer.status_code = status
    answer.headers.update(headers or {})
    return answer
