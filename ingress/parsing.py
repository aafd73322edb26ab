"""Parse an authentic webhook request into a delivery, or refuse it.

Rule: pure. gidgetlab parses the body here, once, so that what it fails on is refused while the sender
can still be told; the worker parses the same bytes again with the same code, so a handler's event is
the one that ``Event.from_http`` gives.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
from gidgetlab.exceptions import BadRequest

from hookyard.gitlab.events import describe, read_event
from hookyard.ledger.records import Delivery
from hookyard.settings.source_names import DEFAULT_SOURCE
from ingress.head import BAD_CONTENT_TYPE, read_content_type
from ingress.outline import outline
from ingress.refusal import Refusal

if TYPE_CHECKING:
    from gidgetlab.sansio import Event

    from ingress.authentication import Sender
    from ingress.head import Head

_ID_LIMIT: Final = 128
LARGE_BYTES: Final = 64 * 1024
"""A larger body is looked through, not built: 128 KB of numbers take 50 ms, in which nobody is answered."""

_TOO_DEEP: Final = Refusal(status=400, reason="too_deep", detail="the JSON is nested too deeply")
_NOT_TEXT: Final = Refusal(
    status=400, reason="malformed", detail="the body is not text in the charset of its Content-Type"
)


def parse_delivery(head: Head, body: bytes, *, sender: Sender) -> Delivery | Refusal:
    """Return the delivery that an authentic request holds."""
    if len(body) > LARGE_BYTES:
        data = _outline_of(head.content_type, body)
    else:
        event = parse_event(head.event, head.content_type, body)
        data = event if isinstance(event, Refusal) else event.data
    if isinstance(data, Refusal):
        return data
    project, thing = describe(data)
    return Delivery(
        id=id_of(head.delivery_id, sender.source),
        event=head.event,
        received_ms=int(head.received_s * 1000),
        content_type=head.content_type,
        body=body,
        headers=head.headers,
        project=project,
        object=thing,
        authenticated_by=sender.name,
        source=sender.source,
        trace=head.trace,
    )


def id_of(delivery_id: str, source: str) -> str:
    """Return the id of a delivery: where there are several GitLabs, two may send the same."""
    if source == DEFAULT_SOURCE:
        return delivery_id
    if len(source) + 1 + len(delivery_id) > _ID_LIMIT:
        delivery_id = hashlib.sha256(delivery_id.encode()).hexdigest()
    return f"{source}~{delivery_id}"


def _outline_of(content_type: str, body: bytes) -> Any:
    """Return the little that :func:`describe` looks at, without building the rest; or the refusal.

    25 MB of JSON can take 700 MB and three seconds to build, and 40 ms at most to look through. What is
    not valid by RFC 8259 (NaN, half surrogate pairs) is refused at this size.
    """
    kind, charset = read_content_type(content_type)
    if kind == "application/octet-stream":
        return body
    if kind != "application/json" or charset.lower() not in {"utf-8", "us-ascii"}:
        detail = f"a body of more than {LARGE_BYTES} bytes must be application/json in UTF-8"
        return Refusal(status=415, reason="bad_content_type", detail=detail)
    try:
        return outline(body)
    except UnicodeDecodeError:
        return _NOT_TEXT
    except RecursionError:
        return _TOO_DEEP
    except msgspec.DecodeError as exc:
        return Refusal(status=400, reason="malformed", detail=f"the body is not JSON: {exc}")


def parse_event(name: str, content_type: str, body: bytes) -> Event | Refusal:
    """Return gidgetlab's event, or the 4xx for what gidgetlab 2.1.2 fails on.

    gidgetlab raises ``BadRequest`` (415) for wrong content types and malformed bodies alike; the
    exception's cause tells them apart.
    """
    try:
        return read_event(name, content_type, body)
    except BadRequest as exc:
        return _refusal_of(exc.__cause__)
    except RecursionError:
        return _TOO_DEEP
    except LookupError:
        return Refusal(status=415, reason="bad_charset", detail="the charset of the Content-Type is unknown")
    except (ValueError, TypeError, AssertionError):  # raised by the email package for some Content-Types
        return Refusal(status=415, reason="bad_content_type", detail="the Content-Type cannot be parsed")


def _refusal_of(cause: BaseException | None) -> Refusal:
    if isinstance(cause, json.JSONDecodeError):
        return Refusal(
            status=400,
            reason="malformed",
            detail=f"the body is not JSON: {cause.msg} at character {cause.pos}",
        )
    if isinstance(cause, UnicodeError):
        return _NOT_TEXT
    if isinstance(cause, KeyError):
        return Refusal(status=400, reason="malformed", detail="the form has no field named payload")
    if isinstance(cause, ValueError) and "integer string conversion" in str(cause):
        return Refusal(status=400, reason="malformed", detail="the JSON holds a number with too many digits")
    return BAD_CONTENT_TYPE
