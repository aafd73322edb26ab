"""The API as an ASGI application: the only module of this package that speaks HTTP.

One call is: read the body (bounded), meet a fault on order, look at the token, count the call against
the rate limit, find the route, run its function; then record the call and answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gitlab_emulator.disconnect import drop_connection
from gitlab_emulator.gitlab_api import bodies, limits, params, routes, tokens
from gitlab_emulator.gitlab_api.call import Answer, Call, Refusal
from gitlab_emulator.state import FullError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from starlette.types import Receive, Scope, Send

    from gitlab_emulator.calls import CallRecord
    from gitlab_emulator.faults import Fault, Faults
    from gitlab_emulator.gitlab_api.limits import RateLimit
    from gitlab_emulator.gitlab_api.tokens import Identity
    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.state import State

log = logging.getLogger("gitlab_emulator")

MAX_PATHS_LOGGED = 1_000
WITHOUT_BODY = (204, 304)
DROPPED = 0  # in the record of calls: no answer at all


class GitLabApi:
    """Answers every path under `/api`.

    `token` is an access token that may do everything, in the bot's name; None makes any token that, as
    long as none is registered in the state. `hooks` is notified of what happens, `limit` counts the calls.
    `base_url_of` gives the address that people reach this GitLab by, for links. `changed` is called
    after a call that may have changed the state.
    """

    def __init__(  # noqa: PLR0913 - what the application is made of
        self,
        state: State,
        calls: CallRecord,
        faults: Faults,
        *,
        token: str | None,
        hooks: Hooks,
        limit: RateLimit,
        base_url_of: Callable[[Request], str],
        clock: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._state = state
        self._calls = calls
        self._faults = faults
        self._token = token
        self._hooks = hooks
        self._limit = limit
        self._base_url_of = base_url_of
        self._clock = clock
        self._changed = changed
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
        response: Response | None
        if fault is None:
            response = await self._respond(request, path, parsed, refusal, now)
        else:
            await asyncio.sleep(fault.delay_s)
            if fault.drop:
                response = None
            elif fault.status is None:
                response = await self._respond(request, path, parsed, refusal, now)
            else:
                response = _failing(fault, fault.status)
        self._calls.add(
            at=now,
            method=request.method,
            path=path,
            query=query,
            status=DROPPED if response is None else response.status_code,
            duration_ms=round((time.monotonic() - started_s) * 1000),
            headers=request.headers,
            body=parsed,
            body_bytes=len(body or b""),
            by_fault=fault is not None,
        )
        log.info("%s %s %s", request.method, path, response.status_code if response else "dropped")
        if response is None:
            await drop_connection(receive)
        else:
            await response(scope, receive, send)

    async def _respond(
        self, request: Request, path: str, parsed: object, refusal: Answer | None, now: datetime
    ) -> Response:
        """The true answer, with the headers of the rate limit."""
        identity = self._identity(request, now)
        counted = self._limit.count(None if isinstance(identity, Refusal) else identity.user.id, now)
        if counted.too_many:
            return PlainTextResponse(limits.TOO_MANY, status_code=429, headers=counted.headers)
        try:
            if isinstance(identity, Refusal):
                raise identity
            answer = refusal or await self._answer(request, path, parsed, identity, now)
        except Refusal as refused:
            answer = Answer(status=refused.status, body=refused.body, headers=refused.headers)
        except FullError as full:
            answer = Answer(status=403, body={"message": f"403 Forbidden - {full}"})
        return _response(answer, counted.headers)

    def _identity(self, request: Request, now: datetime) -> Identity | Refusal:
        offered = tokens.offered_token(request.headers, request.query_params)
        try:
            return tokens.identify(self._state, offered, master=self._token, now=now)
        except Refusal as refusal:
            return refusal

    async def _answer(
        self, request: Request, path: str, parsed: object, identity: Identity, now: datetime
    ) -> Answer:
        match = routes.match(request.method, path)
        if match is None:
            raise self._not_done(request.method, path)
        tokens.check_scope(identity.token, request.method, path)
        query = request.scope["query_string"].decode("latin-1")
        base_url = self._base_url_of(request)
        given = bodies.parameters(query, parsed)
        sudo = request.headers.get("sudo") or params.text(given, "sudo")
        identity = tokens.in_whose_name(self._state, identity, sudo)
        call = Call(
            state=self._state,
            user=identity.user,
            token=identity.token,
            ids=match.ids,
            params=given,
            base_url=base_url,
            url=base_url + path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            now=now,
            hooks=self._hooks,
            event_uuid=request.headers.get("x-gitlab-event-uuid"),
        )
        answer = match.function(call)
        if not isinstance(answer, Answer):
            answer = await answer
        if request.method not in ("GET", "HEAD"):
            self._changed()
        return answer

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


def _response(answer: Answer, more_headers: Mapping[str, str]) -> Response:
    headers = {**more_headers, **answer.headers}
    if answer.text is not None:
        return PlainTextResponse(answer.text, status_code=answer.status, headers=headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    return JSONResponse(answer.body, status_code=answer.status, headers=headers)


def _failing(fault: Fault, status: int) -> Response:
    """The answer that was ordered."""
    body = fault.answer_body()
    if status in WITHOUT_BODY:
        return Response(status_code=status, headers=fault.headers)
    if isinstance(body, str):
        kind = "text/html" if body.startswith("<") else "text/plain"
        return Response(body, status_code=status, headers=fault.headers, media_type=kind)
    return JSONResponse(body, status_code=status, headers=fault.headers)
