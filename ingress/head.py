"""What the headers of a request say, judged before its body is read: a refusal costs nothing of it.

Rule: pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Final

from hookyard.ledger.records import DELIVERY_ID
from ingress.authentication import Signed, authenticate
from ingress.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingress.authentication import Credentials, Sender

IS_KNOWN: Final = "hookyard.sender_is_known"
"""In a request's scope once its head has shown who sends it."""

KEPT_HEADERS: Final = (
    "x-gitlab-event-uuid",
    "x-gitlab-webhook-uuid",
    "x-gitlab-instance",
    "user-agent",
)
"""Stored for operators and for the worker; never one that can hold a secret."""

_KEPT_RAW_HEADERS: Final = tuple((name, name.encode()) for name in KEPT_HEADERS)

_HEADER_LIMIT: Final = 300
_EVENT_LIMIT: Final = 200
_CONTENT_TYPE_LIMIT: Final = 200
_CONTENT_TYPES: Final = frozenset(
    {"application/json", "application/x-www-form-urlencoded", "application/octet-stream"}
)
_CHARSETS: Final = frozenset(
    {
        "utf-8",
        "utf8",
        "utf-8-sig",
        "us-ascii",
        "ascii",
        "iso-8859-1",
        "latin-1",
        "iso-8859-15",
        "windows-1252",
        "utf-16",
    }
)
"""Python knows a hundred, some of which take minutes over a few hundred kilobytes (punycode)."""

BAD_CONTENT_TYPE: Final = Refusal(
    status=415,
    reason="bad_content_type",
    detail="the Content-Type must be application/json, application/x-www-form-urlencoded "
    f"or application/octet-stream, of at most {_CONTENT_TYPE_LIMIT} characters",
)
_NO_BODY: Final = Refusal(status=400, reason="no_body", detail="the request announces no body")
_TRACEPARENT: Final = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)
"""W3C Trace Context, ``traceparent``: version, trace id, parent id, flags."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What the headers of a request say about its delivery.

    ``authenticated``: who sends it, or the signature that decides with the body.
    ``announced_bytes``: the size of the body, 0 where it is not known. ``headers``: those that are stored.
    ``received_s``: Unix time.
    """

    delivery_id: str
    event: str
    content_type: str
    headers: dict[str, str]
    trace: str | None
    authenticated: Sender | Signed
    announced_bytes: int
    received_s: float


def judge_head(
    headers: Mapping[bytes, bytes],
    *,
    credentials: Credentials,
    now_s: float,
    max_body_bytes: int,
    new_id: Callable[[], str],
) -> Head | Refusal:
    """Return what the headers of a request say, or the refusal that costs nothing of its body.

    :param headers: raw values by lower-case name.
    :param now_s: Unix time in seconds.
    :param new_id: makes an id where GitLab (before 17.4) sends none.
    """
    authenticated = authenticate(headers, credentials=credentials, now_s=now_s)
    if isinstance(authenticated, Refusal):
        return authenticated
    announced = _announced_bytes(headers, max_body_bytes)
    if isinstance(announced, Refusal):
        return announced
    delivery_id = _text(headers, b"webhook-id") or _text(headers, b"idempotency-key") or new_id()
    if not DELIVERY_ID.fullmatch(delivery_id):
        detail = (
            "the delivery id (webhook-id or Idempotency-Key) must be 1 to 128 of A-Z a-z 0-9 . _ ~ - "
            "and begin with a letter or digit"
        )
        return Refusal(status=400, reason="bad_id", detail=detail)
    name = _text(headers, b"x-gitlab-event")
    if not name or len(name) > _EVENT_LIMIT or not _is_plain(name):
        detail = "the header X-Gitlab-Event is missing, too long or not printable ASCII"
        return Refusal(status=400, reason="no_event", detail=detail)
    content_type = _text(headers, b"content-type") or ""
    if content_type != "application/json" and (refusal := _check_content_type(content_type)) is not None:
        return refusal
    return Head(
        delivery_id=delivery_id,
        event=name,
        content_type=content_type,
        headers={
            kept: value
            for kept, raw in _KEPT_RAW_HEADERS
            if headers.get(raw) and _is_plain(value := headers[raw].decode("latin-1")[:_HEADER_LIMIT])
        },
        trace=_traceparent(_text(headers, b"traceparent")),
        authenticated=authenticated,
        announced_bytes=announced,
        received_s=now_s,
    )


def _announced_bytes(headers: Mapping[bytes, bytes], max_bytes: int) -> int | Refusal:
    length = headers.get(b"content-length")
    if length is None and b"transfer-encoding" not in headers:
        return _NO_BODY  # an empty one that is announced is a test by hand: `http POST … X-Gitlab-Event:…`
    announced = int(length[:20]) if length is not None and length.isdigit() else 0
    return announced if announced <= max_bytes else too_large(max_bytes)


def too_large(max_body_bytes: int) -> Refusal:
    """Return the refusal of a body above the limit."""
    detail = f"the body exceeds {max_body_bytes} bytes (HOOKYARD_MAX_BODY_BYTES)"
    return Refusal(status=413, reason="too_large", detail=detail)


def _is_plain(value: str) -> bool:
    """Return whether *value* is printable ASCII, as what is stored and forwarded has to be."""
    return value.isascii() and value.isprintable()


def _check_content_type(content_type: str) -> Refusal | None:
    """Return the refusal of a Content-Type that gidgetlab would fail on, slowly perhaps."""
    if not content_type or len(content_type) > _CONTENT_TYPE_LIMIT or not _is_plain(content_type):
        return BAD_CONTENT_TYPE
    try:
        kind, charset = read_content_type(content_type)
    except (ValueError, TypeError, AssertionError, LookupError):  # by the email package, for some
        return BAD_CONTENT_TYPE
    if kind not in _CONTENT_TYPES:
        return BAD_CONTENT_TYPE
    if kind != "application/octet-stream" and charset.lower().replace("_", "-") not in _CHARSETS:
        detail = f"the charset of the Content-Type must be one of {', '.join(sorted(_CHARSETS))}"
        return Refusal(status=415, reason="bad_charset", detail=detail)
    return None


def read_content_type(content_type: str) -> tuple[str, str]:
    """Return type and charset, as gidgetlab 2.1.2 reads them."""
    message = Message()
    message["content-type"] = content_type
    return message.get_content_type(), str(message.get_param("charset") or "utf-8")


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _traceparent(value: str | None) -> str | None:
    return value if value and _TRACEPARENT.fullmatch(value) else None
