"""Discussions, which group notes and on merge requests can be resolved.

https://docs.gitlab.com/api/discussions/ .
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import issuable_events, lookup, notes, params, shapes
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal, bad_parameter, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import DEVELOPER, MergeRequest, sha_of

if TYPE_CHECKING:
    from gitlab_emulator.state import Note, Noteable

POSITION_NEEDS = ("base_sha", "start_sha", "head_sha", "position_type")
MAX_POSITION_CHARS = 10_000


def list_all(call: Call) -> Answer:
    """GET …/discussions, oldest first."""
    found = _discussions(call, lookup.noteable(call))
    return paged(call, list(found.values()), lambda one: _shape(call, one))


def get(call: Call) -> Answer:
    """GET …/discussions/:discussion_id."""
    return Answer(body=_shape(call, _notes(call, "Discussion")))


def list_notes(call: Call) -> Answer:
    """GET …/discussions/:discussion_id/notes."""
    return paged(call, _notes(call, "Notes"), lambda one: notes.shape(call, one))


def create(call: Call) -> Answer:
    """POST …/discussions: 201. Needs `body`; with a `position` it stands in a merge request's difference."""
    on = lookup.noteable(call)
    body, position = notes.body(call), _position(call) if isinstance(on, MergeRequest) else None
    internal = params.flag(call.params, "internal") or False
    note = call.state.add_note(
        on,
        author=call.user,
        body=body,
        internal=internal,
        now=call.now,
        kind="DiscussionNote" if position is None else "DiffNote",
    )
    note.discussion_id = sha_of(f"discussion {note.id}")
    note.position = position
    issuable_events.noted(call, on, note, "create")
    return Answer(status=201, body=_shape(call, [note]))


def reply(call: Call) -> Answer:
    """POST …/discussions/:discussion_id/notes: 201. A reply to a note that stood alone makes a discussion."""
    on, body = lookup.noteable(call), notes.body(call)
    first = _notes(call, "Discussion")[0]
    first.kind = first.kind or "DiscussionNote"
    note = call.state.add_note(
        on,
        author=call.user,
        body=body,
        internal=first.internal,
        now=call.now,
        kind=first.kind,
        discussion_id=first.discussion_id,
    )
    issuable_events.noted(call, on, note, "create")
    return Answer(status=201, body=notes.shape(call, note))


def resolve(call: Call) -> Answer:
    """PUT …/discussions/:discussion_id: `resolved` for all of its notes; merge requests only."""
    found = _notes(call, "Discussion")
    params.require(call.params, "resolved")
    _resolve(call, found)
    return Answer(body=_shape(call, found))


def edit_note(call: Call) -> Answer:
    """PUT …/discussions/:discussion_id/notes/:note_id: either `body` or `resolved`."""
    note = lookup.note(call)
    params.require_one(call.params, "body", "resolved")
    if "resolved" in call.params:
        _resolve(call, [note])
    else:
        notes.may_edit(call, note)
        notes.change_body(call, note)
    return Answer(body=notes.shape(call, note))


def _resolve(call: Call, found: list[Note]) -> None:
    on, resolved = lookup.noteable(call), params.flag(call.params, "resolved") or False
    if not isinstance(on, MergeRequest) or not shapes.resolvable(found[0], on):
        raise Refusal(403, {"message": "403 Forbidden"})
    if call.user.id != on.author_id:
        lookup.project(call, DEVELOPER)
    for note in found:
        if resolved != (note.resolved_at is not None):
            note.resolved_at = call.now if resolved else None
            note.resolved_by_id = call.user.id if resolved else None


def _discussions(call: Call, on: Noteable) -> dict[str, list[Note]]:
    found: dict[str, list[Note]] = {}
    for note in lookup.notes(call, on):
        found.setdefault(note.discussion_id, []).append(note)
    return found


def _notes(call: Call, what: str) -> list[Note]:
    found = _discussions(call, lookup.noteable(call)).get(call.ids["discussion_id"])
    if found is None:
        raise not_found(what)
    return found


def _position(call: Call) -> Json | None:
    """Where in the difference a note is to stand: an object, or form fields such as `position[new_line]`."""
    prefix = "position["
    in_form = {
        name.removeprefix(prefix).removesuffix("]"): value
        for name, value in call.params.items()
        if name.startswith(prefix)
    }
    position = call.params.get("position") or in_form or None
    if position is None:
        return None
    if not isinstance(position, dict) or len(json.dumps(position)) > MAX_POSITION_CHARS:
        raise bad_parameter("position is invalid")
    if missing := [f"position[{name}] is missing" for name in POSITION_NEEDS if name not in position]:
        raise bad_parameter(", ".join(missing))
    if position["position_type"] not in ("text", "image", "file"):
        raise bad_parameter("position[position_type] does not have a valid value")
    if "new_path" not in position and "old_path" not in position:
        why = "can't be blank"
        raise Refusal(400, {"message": f'400 Bad request - Note {{:line_code=>["{why}"]}}'})
    return position


def _shape(call: Call, found: list[Note]) -> Json:
    return shapes.discussion(call.state, found, lookup.noteable(call), call.base_url)
