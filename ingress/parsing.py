"""Parse an authentic webhook request into a delivery, or refuse it.

Rule: pure. gidgetlab parses the body here, once, so that what it fails on is refused while the sender
can still be told; the worker parses the same bytes again with the same code, so a handler's event is
the one that ``Event.from_http`` gives.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from gidgetlab.exceptions import BadRequest

from hookyard.gitlab.events import read_event
from hookyard.ledger.records import DELIVERY_ID, Delivery
from ingress.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gidgetlab.sansio import Event

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
_NAME_LIMIT: Final = 200
_LARGEST_NUMBER: Final = 10**12
"""GitLab's ids are smaller; a custom template's number may be anything."""

_TRACEPARENT: Final = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)
"""W3C Trace Context, ``traceparent``: version, trace id, parent id, flags."""


def parse_delivery(
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    authenticated_by: str,
    received_ms: int,
    new_id: Callable[[], str],
) -> Delivery | Refusal:
    """Return the delivery that an authentic request holds.

    :param headers: raw values by lower-case name; of a repeated name, the first.
    :param received_ms: Unix time in milliseconds.
    :param new_id: makes an id where GitLab (before 17.4) sends none.
    """
    delivery_id = _text(headers, b"webhook-id") or _text(headers, b"idempotency-key") or new_id()
    if not DELIVERY_ID.fullmatch(delivery_id):
        detail = (
            "the delivery id (webhook-id or Idempotency-Key) must be 1 to 128 of A-Z a-z 0-9 . _ ~ - "
            "and begin with a letter or digit"
        )
        return Refusal(status=400, reason="bad_id", detail=detail)
    name = _text(headers, b"x-gitlab-event")
    if not name or len(name) > _EVENT_LIMIT:
        detail = "the header X-Gitlab-Event is missing or too long"
        return Refusal(status=400, reason="no_event", detail=detail)
    content_type = _text(headers, b"content-type")
    event = parse_event(name, content_type, body)
    if isinstance(event, Refusal):
        return event
    project, thing = describe(event.data)
    return Delivery(
        id=delivery_id,
        event=name,
        received_ms=received_ms,
        content_type=content_type,
        body=body,
        headers={
            kept: headers[raw].decode("latin-1")[:_HEADER_LIMIT]
            for kept, raw in _KEPT_RAW_HEADERS
            if headers.get(raw)
        },
        project=project,
        object=thing,
        authenticated_by=authenticated_by,
        trace=_traceparent(_text(headers, b"traceparent")),
    )


def parse_event(name: str, content_type: str | None, body: bytes) -> Event | Refusal:
    """Return gidgetlab's event, or the 4xx for what gidgetlab 2.1.2 fails on.

    gidgetlab raises ``BadRequest`` (415) for wrong content types and malformed bodies alike; the
    exception's cause tells them apart.
    """
    try:
        return read_event(name, content_type, body)
    except BadRequest as exc:
        return _refusal_of(exc.__cause__, content_type)
    except RecursionError:
        return Refusal(status=400, reason="too_deep", detail="the JSON is nested too deeply")
    except LookupError:
        return Refusal(status=415, reason="bad_charset", detail="the charset of the Content-Type is unknown")
    except (ValueError, TypeError, AssertionError):  # raised by the email package for some Content-Types
        return Refusal(status=415, reason="bad_content_type", detail="the Content-Type cannot be parsed")


def _refusal_of(cause: BaseException | None, content_type: str | None) -> Refusal:
    if isinstance(cause, json.JSONDecodeError):
        return Refusal(
            status=400,
            reason="malformed",
            detail=f"the body is not JSON: {cause.msg} at character {cause.pos}",
        )
    if isinstance(cause, UnicodeError):
        return Refusal(
            status=400, reason="malformed", detail="the body is not text in the charset of its Content-Type"
        )
    if isinstance(cause, KeyError) and content_type is not None:
        return Refusal(status=400, reason="malformed", detail="the form has no field named payload")
    if isinstance(cause, ValueError) and "integer string conversion" in str(cause):
        return Refusal(status=400, reason="malformed", detail="the JSON holds a number with too many digits")
    return Refusal(
        status=415,
        reason="bad_content_type",
        detail="the Content-Type must be application/json, application/x-www-form-urlencoded "
        "or application/octet-stream",
    )


def describe(data: Any) -> tuple[str | None, str | None]:
    """Return what operators search for: the project, and the issue (``#7``) or merge request (``!12``).

    The body of a custom template can have any shape, so nothing is assumed.
    """
    body = _mapping(data)
    project = _mapping(body.get("project"))
    path = _name(project.get("path_with_namespace"))
    if not path:  # nearly every body has it, so the rest is seldom needed
        places = (
            body.get("project_path_with_namespace"),
            body.get("path_with_namespace"),
            body.get("group_path"),
            _mapping(body.get("group")).get("group_path"),
            project.get("id"),
            body.get("project_id"),
        )
        path = next((name for place in places if (name := _name(place))), None)
    return path, _thing(body)


def _thing(body: Mapping[str, Any]) -> str | None:
    attributes, request = _mapping(body.get("object_attributes")), _mapping(body.get("merge_request"))
    match body.get("object_kind"):
        case "issue" | "work_item":
            sign, iid = "#", attributes.get("iid")
        case "merge_request":
            sign, iid = "!", attributes.get("iid")
        case "note" if not request:
            sign, iid = "#", _mapping(body.get("issue")).get("iid")
        case "note" | "pipeline":
            sign, iid = "!", request.get("iid")
        case _:
            return None
    return f"{sign}{iid}" if _is_number(iid) else None


def _name(value: object) -> str | None:
    """Return a path or an id that is safe to store and show: no control characters, no lone surrogates."""
    if isinstance(value, str):
        name = value[:_NAME_LIMIT]
        if name.isprintable():
            return name
        return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    return str(value) if _is_number(value) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST_NUMBER


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _traceparent(value: str | None) -> str | None:
    return value if value and _TRACEPARENT.fullmatch(value) else None
