"""Notes on issues and merge requests: https://docs.gitlab.com/api/notes/ ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import issuable_events, lookup, params, shapes
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal
from gitlab_emulator.gitlab_api.paging import in_order, paged
from gitlab_emulator.state import MAINTAINER, PLANNER

if TYPE_CHECKING:
    from gitlab_emulator.state import Note


def list_all(call: Call) -> Answer:
    """GET …/notes, newest first; `sort` and `order_by` (created_at, updated_at) change that."""
    notes = lookup.notes(call, lookup.noteable(call))
    return paged(call, in_order(call, notes), lambda note: shape(call, note))


def get(call: Call) -> Answer:
    """GET …/notes/:note_id."""
    return Answer(body=shape(call, lookup.note(call)))


def create(call: Call) -> Answer:
    """POST …/notes: 201. Needs `body`."""
    noteable = lookup.noteable(call)
    text = body(call)
    internal = params.flag(call.params, "internal")
    if internal is None:
        internal = params.flag(call.params, "confidential")  # the name until GitLab 15.3
    if internal:
        call.require(call.state.projects[noteable.project_id], PLANNER)
    note = call.state.add_note(
        noteable, author=call.user, body=text, internal=internal or False, now=call.now
    )
    issuable_events.noted(call, noteable, note, "create")
    return Answer(status=201, body=shape(call, note))


def edit(call: Call) -> Answer:
    """PUT …/notes/:note_id. Needs `body`."""
    note = lookup.note(call)
    may_edit(call, note)
    change_body(call, note)
    return Answer(body=shape(call, note))


def delete(call: Call) -> Answer:
    """DELETE …/notes/:note_id: 204."""
    note = lookup.note(call)
    may_edit(call, note)
    del lookup.noteable(call).notes[note.id]
    return Answer(status=204)


def may_edit(call: Call, note: Note) -> None:
    """403 for who did not write it and is no maintainer."""
    if note.author_id != call.user.id:
        lookup.project(call, MAINTAINER)


def change_body(call: Call, note: Note) -> None:
    """Give a note the `body` that the parameters name, and tell of it."""
    text = body(call)
    if text != note.body:
        note.body, note.updated_at = text, call.now
        issuable_events.noted(call, lookup.noteable(call), note, "update")


def body(call: Call) -> str:
    """What a note is to say: `body`, which must be there."""
    params.require(call.params, "body")
    text = params.text(call.params, "body") or ""
    if not text.strip():
        raise Refusal(400, {"message": '400 Bad request - Note {:note=>["can\'t be blank"]}'})
    if len(text) > params.MAX_TEXT_CHARS:
        why = f"is too long (maximum is {params.MAX_TEXT_CHARS} characters)"
        raise Refusal(400, {"message": f'400 Bad request - Note {{:note=>["{why}"]}}'})
    return text


def shape(call: Call, note: Note) -> Json:
    """The note as GitLab shows it."""
    return shapes.note(call.state, note, lookup.noteable(call), call.base_url)
