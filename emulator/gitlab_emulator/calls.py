"""The record of REST calls, which a page shows and tests ask for.

Bounded, newest kept. No secret gets in: of the headers only the two in `KEPT_HEADERS` are kept, and
parameters whose name speaks of a token or a password lose their value, and a webhook's headers do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

KEPT_HEADERS = ("X-Gitlab-Event-UUID", "User-Agent")
MAX_CALLS = 1_000
MAX_BODY_BYTES = 64 * 1024
MAX_HEADER_CHARS = 256
HIDDEN = "[REDACTED]"
SECRET_PAIRS = ("custom_headers", "url_variables")  # of a webhook, as parameters and in paths


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One answered call.

    `path` is as it stood in the request, percent-encoded and without its query. `headers` holds those
    of `KEPT_HEADERS` that were sent. `body` is the parsed body (object, list, text …), None without
    one. `by_fault` tells that a fault on order answered it.
    """

    id: int
    at: datetime
    method: str
    path: str
    query: str
    status: int
    duration_ms: int
    headers: Mapping[str, str]
    body: object
    by_fault: bool

    def as_json(self) -> dict[str, object]:
        """The shape that `GET /-/calls` answers with; `at` in ISO 8601, UTC."""
        return {**vars(self), "at": self.at.isoformat(), "headers": dict(self.headers)}


class CallRecord:
    """The last `MAX_CALLS` calls, oldest first; ids count on after a clear."""

    def __init__(self) -> None:
        self._calls: deque[RecordedCall] = deque(maxlen=MAX_CALLS)
        self._ids = count(1)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[RecordedCall]:
        return iter(self._calls)

    def __reversed__(self) -> Iterator[RecordedCall]:
        return reversed(self._calls)

    def add(  # noqa: PLR0913 - the columns of the record
        self,
        *,
        at: datetime,
        method: str,
        path: str,
        query: str,
        status: int,
        duration_ms: int,
        headers: Mapping[str, str],
        body: object,
        body_bytes: int,
        by_fault: bool,
    ) -> RecordedCall:
        """Keep one call. `headers` are the request's; a body above `MAX_BODY_BYTES` is not kept."""
        if any(pairs in path for pairs in SECRET_PAIRS) and isinstance(body, dict):
            body = {**body, "value": HIDDEN}
        call = RecordedCall(
            id=next(self._ids),
            at=at,
            method=method,
            path=path,
            query=_without_secrets_in_query(query),
            status=status,
            duration_ms=duration_ms,
            headers={name: headers[name][:MAX_HEADER_CHARS] for name in KEPT_HEADERS if name in headers},
            body=_without_secrets(body)
            if body_bytes <= MAX_BODY_BYTES
            else f"({body_bytes} bytes, not kept)",
            by_fault=by_fault,
        )
        self._calls.append(call)
        return call

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()


def _is_secret(name: str) -> bool:
    return "token" in name.lower() or "password" in name.lower() or name in SECRET_PAIRS


def _without_secrets(body: object) -> object:
    if not isinstance(body, dict):
        return body
    return {name: HIDDEN if _is_secret(str(name)) else value for name, value in body.items()}


def _without_secrets_in_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_is_secret(name) for name, _ in pairs):
        return query
    return urlencode([(name, HIDDEN if _is_secret(name) else value) for name, value in pairs])
