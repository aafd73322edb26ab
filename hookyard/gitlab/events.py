"""What is in a webhook request: gidgetlab's event, the same at door and worker, and its subject. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from gidgetlab.sansio import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME_LIMIT: Final = 200
_LARGEST_NUMBER: Final = 10**12
"""GitLab's ids are smaller; a custom template's number may be anything."""

_read_json: Final = msgspec.json.Decoder().decode


def read_event(name: str, content_type: str | None, body: bytes) -> Event:
    """Return the event that ``Event.from_http`` gives; the request is known to be authentic.

    For GitLab's own content type gidgetlab reads the header with the email package, decodes UTF-8 and
    parses JSON; msgspec parses it at a third of that, to the same values (`tests/deliveries/test_events`).
    What it refuses (NaN, half surrogate pairs, huge numbers, and what is no JSON) is left to gidgetlab,
    so that it goes as it does there.

    :raises gidgetlab.exceptions.BadRequest: for a wrong content type and a malformed body alike.
    :raises LookupError: for an unknown charset.
    :raises RecursionError: for JSON that is nested too deeply.
    """
    if content_type == "application/json" and body:
        try:
            return Event(_read_json(body), event=name)
        except (ValueError, RecursionError):
            pass
    headers = {"x-gitlab-event": name}
    if content_type is not None:
        headers["content-type"] = content_type
    return Event.from_http(headers, body)


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
