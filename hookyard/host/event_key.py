"""The key of an event for one handler: a template that is filled in, or a function of the bot's.

A template may name what most events have, such as ``"{project}!{iid}"``.
"""

from __future__ import annotations

import hashlib
import string
from typing import TYPE_CHECKING, Any, Final

from hookyard.host.failures import describe
from hookyard.ledger.records import one_line
from hookyard.settings.source_names import DEFAULT_SOURCE
from hookyard.telemetry.scrubber import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gidgetlab.sansio import Event

FIELDS: Final = ("project", "iid", "object", "id", "ref", "branch", "user", "action", "event")
LONGEST: Final = 200
_SIGILS: Final = {"merge_request": "!", "issue": "#", "work_item": "#"}
_BRANCH: Final = "refs/heads/"


def template_fault(key: str) -> str | None:
    """Return what is wrong with a template."""
    try:
        named = [name for _, name, _, _ in string.Formatter().parse(key) if name is not None]
    except ValueError as exc:
        return f"its key {key!r} cannot be read: {exc}"
    unknown = [name for name in named if name not in FIELDS]
    if unknown:
        return f"its key {key!r} names {', '.join(unknown)}; there are {', '.join(FIELDS)}"
    return None if named else f"its key {key!r} is the same for every event; for that, say concurrency="


def key_of(key: str | Callable[..., Any], event: Event) -> tuple[str | None, str | None]:
    """Return the key of *event*, or why it has none; a long one is shortened to a digest."""
    if isinstance(key, str):
        found = _fields(event)
        missing = [name for _, name, _, _ in string.Formatter().parse(key) if name and found[name] is None]
        if missing:
            return None, f"its key {key!r} cannot be made: this event has no {', '.join(missing)}"
        text: Any = key.format_map(found)
    else:
        try:
            text = key(event)
        except Exception as exc:  # noqa: BLE001 - the bot's function; its handler is failed for it
            return None, one_line(f"its key function failed: {scrub(describe(exc))}")
    if not isinstance(text, str) or not text:
        return None, f"its key function returned {type(text).__name__}, not a text"
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= LONGEST:
        return text, None
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", None


def within(source: str, key: str) -> str:
    """Return a key that stands for one GitLab only, where there are several."""
    return key if source == DEFAULT_SOURCE else f"{source}:{key}"


def caused_by(event: Event) -> int | None:
    """Return the id of the account that caused *event*, as far as GitLab tells."""
    data = event.data if isinstance(event.data, dict) else {}
    user = _part(data, "user")
    found = data["user_id"] if "user_id" in data else user.get("id")
    return found if isinstance(found, int) else None


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def _fields(event: Event) -> dict[str, str | None]:
    data = event.data if isinstance(event.data, dict) else {}
    attributes, project, user = _part(data, "object_attributes"), _part(data, "project"), _part(data, "user")
    kind = data.get("object_kind")
    about = attributes
    for each in _SIGILS:  # a note is about what it stands under, a pipeline about its merge request
        if kind in {"note", "emoji", "pipeline"} and _part(data, each):
            kind, about = each, _part(data, each)
            break
    iid = about.get("iid")
    ref = data.get("ref", attributes.get("ref", about.get("source_branch")))
    values = {
        "project": project.get("path_with_namespace") or data.get("project_id"),
        "iid": iid,
        "object": None if iid is None else f"{_SIGILS.get(str(kind), '~')}{iid}",
        "id": about.get("id", data.get("build_id", data.get("id"))),
        "ref": ref,
        "branch": str(ref).removeprefix(_BRANCH) if ref else None,
        "user": user.get("username") or data.get("user_username"),
        "action": attributes.get("action"),
        "event": event.event,
    }
    return {name: None if value is None or value == "" else str(value) for name, value in values.items()}
