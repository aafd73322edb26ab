"""What a webhook request holds: the delivery in it, or why it cannot be one.

Rule: pure; the request is known to be authentic. gidgetlab parses it here, once, so that what it
would choke on is refused while somebody can still be told; the worker parses the same bytes again
with the same code, so a handler's event is the one that ``Event.from_http`` gives.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gidgetlab.exceptions import BadRequest

from hookyard.gitlab.events import read_event
from hookyard.ledger.records import DELIVERY_ID, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gidgetlab.sansio import Event

KEPT_HEADERS: Final = (
    "x-gitlab-event-uuid",
    "x-gitlab-webhook-uuid",
    "x-gitlab-instance",
    "user-agent",
)
"""Kept for operators and for the worker. Never one that can hold a secret."""

READ_HEADERS: Final = (
    "webhook-id",
    "idempotency-key",
    "x-gitlab-event",
    "content-type",
    "traceparent",
    *KEPT_HEADERS,
)
"""All that :func:`receive` looks at."""

_HEADER_LIMIT: Final = 300
_EVENT_LIMIT: Final = 200
_NAME_LIMIT: Final = 200
_LARGEST_NUMBER: Final = 10**12
"""GitLab's ids are smaller; a custom template's number may be anything."""

_TRACEPARENT: Final = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)
"""W3C Trace Context, ``traceparent``: version, trace id, parent id, flags."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """The answer for a request that is no delivery: a 4xx ``status``, a slug for metrics, one plain line."""

    status: int
    reason: str
    detail: str


def receive(
    headers: Mapping[str, str],
    body: bytes,
    *,
    authenticated_by: str,
    received_ms: int,
    fresh_id: Callable[[], str],
) -> Delivery | Rejected:
    """Return the delivery that an authentic request holds.

    :param headers: lower-case names; a name that came twice stands with its first value.
    :param received_ms: Unix time in milliseconds.
    :param fresh_id: makes an id where GitLab (before 17.4) sent none.
    """
    delivery_id = headers.get("webhook-id") or headers.get("idempotency-key") or fresh_id()
    if not DELIVERY_ID.fullmatch(delivery_id):
        return Rejected(
            status=400,
            reason="bad_id",
            detail="the delivery id (webhook-id or Idempotency-Key) must be 1 to 128 of A-Z a-z 0-9 . _ ~ - "
            "and begin with a letter or digit",
        )
    name = headers.get("x-gitlab-event", "")
    if not name or len(name) > _EVENT_LIMIT:
        return Rejected(
            status=400, reason="no_event", detail="the header X-Gitlab-Event is missing or too long"
        )
    content_type = headers.get("content-type")
    parsed = parse(name, content_type, body)
    if isinstance(parsed, Rejected):
        return parsed
    project, thing = describe(parsed.data)
    return Delivery(
        id=delivery_id,
        event=name,
        received_ms=received_ms,
        content_type=content_type,
        body=body,
        headers={kept: headers[kept][:_HEADER_LIMIT] for kept in KEPT_HEADERS if headers.get(kept)},
        project=project,
        object=thing,
        authenticated_by=authenticated_by,
        trace=_traceparent(headers.get("traceparent")),
    )


def parse(name: str, content_type: str | None, body: bytes) -> Event | Rejected:
    """Return gidgetlab's event, or the 4xx for what gidgetlab 2.1.2 chokes on.

    gidgetlab raises ``BadRequest`` (415) for wrong content types and malformed bodies alike; what
    it came from tells them apart.
    """
    try:
        return read_event(name, content_type, body)
    except BadRequest as exc:
        return _why(exc.__cause__, content_type)
    except RecursionError:
        return Rejected(status=400, reason="too_deep", detail="the JSON is nested too deeply")
    except LookupError:
        return Rejected(status=415, reason="bad_charset", detail="the charset of the Content-Type is unknown")
    except (ValueError, TypeError, AssertionError):  # a Content-Type on which the email package stumbles
        return Rejected(status=415, reason="bad_content_type", detail="the Content-Type cannot be read")


def _why(cause: BaseException | None, content_type: str | None) -> Rejected:
    if isinstance(cause, json.JSONDecodeError):
        return Rejected(
            status=400,
            reason="malformed",
            detail=f"the body is not JSON: {cause.msg} at character {cause.pos}",
        )
    if isinstance(cause, UnicodeError):
        return Rejected(
            status=400, reason="malformed", detail="the body is not text in the charset of its Content-Type"
        )
    if isinstance(cause, KeyError) and content_type is not None:
        return Rejected(status=400, reason="malformed", detail="the form has no field named payload")
    if isinstance(cause, ValueError) and "integer string conversion" in str(cause):
        return Rejected(status=400, reason="malformed", detail="the JSON holds a number with too many digits")
    return Rejected(
        status=415,
        reason="bad_content_type",
        detail="the Content-Type must be application/json, application/x-www-form-urlencoded "
        "or application/octet-stream",
    )


def describe(data: Any) -> tuple[str | None, str | None]:
    """Return what operators look for: the project, and the issue (``#7``) or merge request (``!12``).

    A custom template's body can have any shape, so nothing is taken for granted.
    """
    body = _mapping(data)
    project = _mapping(body.get("project"))
    path = _name(project.get("path_with_namespace"))
    if not path:  # nearly every body has it, so the rest is seldom looked for
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
    """Return a path or an id as it can be stored and shown: no control characters, no half pairs."""
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


def _traceparent(value: str | None) -> str | None:
    return value if value and _TRACEPARENT.fullmatch(value) else None
