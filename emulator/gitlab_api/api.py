"""The API as an ASGI application: the only module of this package that speaks HTTP.

One call is: read the body (bounded), meet a fault on order or else check the token, find the route,
run its function; then record the call and answer.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from emulator.gitlab_api import bodies, routes
from emulator.gitlab_api.call import Answer, Call, Refusal
from emulator.gitlab_api.limits import CallCount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from starlette.types import Receive, Scope, Send

    from emulator.calls import CallRecord
    from emulator.faults import Fault, Faults
    from emulator.state import State

log = logging.getLogger("emulator")

MAX_PATHS_LOGGED = 1_000
WITHOUT_BODY = (204, 304)


class GitLabApi:
    """Answers every path under `/api`.

    `token` is the only access token taken; None takes any, or none. `base_url_of` gives the address
    that people reach this GitLab by, for links.
    """

    def __init__(
        self,
        state: State,
        calls: CallRecord,
        faults: Faults,
        *,
        token: str | None,
        base_url_of: Callable[[Request], str],
        clock: Callable[[], datetime],
    ) -> None:
        self._state = state
        self._calls = calls
        self._faults = faults
        self._token = token
        self._base_url_of = base_url_of
        self._clock = clock
        self._count = CallCount()
        self._logged: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        request = Request(scope, receive)
        started_s, now = time.monotonic(), self._clock()
        path, query = raw_path(scope), scope["query_string"].decode("latin-1")
        try:
            body = await read_body(request, bodies.MAX_BODY_BYTES)
        except ClientDisconnect:
            return
        parsed, refusal = _parsed(request, body)
        fault = self._faults.take(request.method, path)
        if fault is not None:
            response = await _failing(fault)
        else:
            answer = refusal or self._answer(request, path, parsed, now)
            response = _json(answer, {**self._count.count(now), **answer.headers})
        self._calls.add(
            at=now,
            method=request.method,
            path=path,
            query=query,
            status=response.status_code,
            duration_ms=round((time.monotonic() - started_s) * 1000),
            headers=request.headers,
            body=parsed,
            body_bytes=len(body or b""),
            by_fault=fault is not None,
        )
        log.info("%s %s %s", request.method, path, response.status_code)
        await response(scope, receive, send)

    def _answer(self, request: Request, path: str, parsed: object, now: datetime) -> Answer:
        try:
            return self._answer_or_refuse(request, path, parsed, now)
        except Refusal as refusal:
            return Answer(status=refusal.status, body=refusal.body)

    def _answer_or_refuse(self, request: Request, path: str, parsed: object, now: datetime) -> Answer:
        if self._token is not None and not _carries(request.headers, self._token):
            raise Refusal(401, {"message": "401 Unauthorized"})
        match = routes.match(request.method, path)
        if match is None:
            raise self._not_done(request.method, path)
        query = request.scope["query_string"].decode("latin-1")
        base_url = self._base_url_of(request)
        call = Call(
            state=self._state,
            user=self._state.users[self._state.bot_id],
            ids=match.ids,
            params=bodies.parameters(query, parsed),
            base_url=base_url,
            url=base_url + path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            now=now,
        )
        return match.function(call)

    def _not_done(self, method: str, path: str) -> Refusal:
        text = f"the emulator does not do {method} {path} (yet)"
        if (method, path) not in self._logged and len(self._logged) < MAX_PATHS_LOGGED:
            self._logged.add((method, path))
            log.warning("%s", text)
        return Refusal(404, {"error": f"404 Not Found: {text}"})


def raw_path(scope: Scope) -> str:
    """The path as it was sent, still percent-encoded, without the query."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")


async def read_body(request: Request, max_bytes: int) -> bytes | None:
    """The body; None when it is larger than that (the rest is left unread)."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _parsed(request: Request, body: bytes | None) -> tuple[object, Answer | None]:
    """The body's meaning, or the answer to one that has none."""
    if body is None:
        return None, Answer(status=413, body={"error": "413 Request Entity Too Large"})
    try:
        return bodies.parse(request.headers.get("content-type", ""), body), None
    except Refusal as refusal:
        return None, Answer(status=refusal.status, body=refusal.body)


def _carries(headers: Mapping[str, str], token: str) -> bool:
    """Whether a request carries the token, in either of the two ways that GitLab takes it."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    offered = headers.get("private-token") or (bearer.strip() if scheme.lower() == "bearer" else "")
    return hmac.compare_digest(offered.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


def _json(answer: Answer, headers: Mapping[str, str]) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status, headers=dict(headers))
    return JSONResponse(answer.body, status_code=answer.status, headers=dict(headers))


async def _failing(fault: Fault) -> Response:
    """The answer that was ordered, after its delay."""
    await asyncio.sleep(fault.delay_s)
    body = fault.answer_body()
    if fault.status in WITHOUT_BODY:
        return Response(status_code=fault.status, headers=fault.headers)
    if isinstance(body, str):
        kind = "text/html" if body.startswith("<") else "text/plain"
        return Response(body, status_code=fault.status, headers=fault.headers, media_type=kind)
    return JSONResponse(body, status_code=fault.status, headers=fault.headers)
