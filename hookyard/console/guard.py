"""What every request passes: its Host, where it was sent from, who sent it; and the headers of every answer.

Rule: closed by default. What this does not know to be right is refused before any route sees it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response

from hookyard.console.sessions import COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hookyard.console.identities import Directory
    from hookyard.console.sessions import Sessions

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Middleware around the whole application.

    :param names: under which it may be addressed, beside those of this machine's loopback.
    """

    def __init__(
        self, app: ASGIApp, *, names: Iterable[str], sessions: Sessions, directory: Directory
    ) -> None:
        self._app = app
        self._names = LOOPBACK | {name.lower() for name in names}
        self._sessions = sessions
        self._directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on with ``identity`` and ``session`` in its state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_static = scope["path"].startswith("/static/")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answered.setdefault(name, value)
                answered.setdefault("cache-control", "max-age=3600" if is_static else "no-store")
            await send(message)

        fault = self._fault(headers, scope["method"])
        if fault is not None:
            status, text = fault
            await _refusal(status, text, is_api=scope["path"].startswith("/api/"))(
                scope, receive, send_guarded
            )
            return
        state = scope.setdefault("state", {})
        state["identity"], state["session"] = None, None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            state["identity"] = self._directory.with_token(token.strip())
        elif not scheme:
            session = self._sessions.read(cookie_parser(headers.get("cookie", "")).get(COOKIE))
            if session is not None:
                state["identity"], state["session"] = session.identity, session
        await self._app(scope, receive, send_guarded)

    def _fault(self, headers: Headers, method: str) -> tuple[int, str] | None:
        """Return why a request is refused whoever sent it: the status and what to do."""
        host = headers.get("host", "")
        if _name_of(host) not in self._names:
            return 421, (
                "The console does not answer to the name in this request's Host header. "
                "Names that it may have are set in HOOKYARD_CONSOLE_HOSTS."
            )
        if method in SAFE:
            return None
        origin = headers.get("origin")
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return 403, "This request was sent from another site."
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "This request was sent from another origin."
        return None


def _name_of(host: str) -> str:
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def _refusal(status: int, text: str, *, is_api: bool) -> Response:
    if is_api:
        problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": text}
        return Response(json.dumps(problem), status, media_type="application/problem+json")
    return Response(text + "\n", status, media_type="text/plain")
