"""Notes on issues and merge requests: https://docs.gitlab.com/api/notes/ ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.gitlab_api import lookup, params, shapes
from emulator.gitlab_api.call import Answer, Call, Json, Refusal
from emulator.gitlab_api.paging import in_order, paged

if TYPE_CHECKING:
    from emulator.state import Note


def list_all(call: Call) -> Answer:
    """GET …/notes, newest first; `sort` and `order_by` (created_at, updated_at) change that."""
    notes = list(lookup.noteable(call).notes.values())
    return paged(call, in_order(call, notes), lambda note: _shape(call, note))


def get(call: Call) -> Answer:
    """GET …/notes/:note_id."""
    return Answer(body=_shape(call, lookup.note(call)))


def create(call: Call) -> Answer:
    """POST …/notes: 201. Needs `body`."""
    noteable = lookup.noteable(call)
    body = _body(call)
    internal = params.flag(call.params, "internal")
    if internal is None:
        internal = params.flag(call.params, "confidential")  # the name until GitLab 15.3
    note = call.state.add_note(
        noteable, author=call.user, body=body, internal=internal or False, now=call.now
    )
    return Answer(status=201, body=_shape(call, note))


def edit(call: Call) -> Answer:
    """PUT …/notes/:note_id. Needs `body`."""
    note = lookup.note(call)
    note.body = _body(call)
    note.updated_at = call.now
    return Answer(body=_shape(call, note))


def delete(call: Call) -> Answer:
    """DELETE …/notes/:note_id: 204."""
    del lookup.noteable(call).notes[lookup.note(call).id]
    return Answer(status=204)


def _body(call: Call) -> str:
    params.require(call.params, "body")
    body = params.text(call.params, "body") or ""
    if not body.strip():
        raise Refusal(400, {"message": '400 Bad request - Note {:note=>["can\'t be blank"]}'})
    if len(body) > params.MAX_TEXT_CHARS:
        text = f"is too long (maximum is {params.MAX_TEXT_CHARS} characters)"
        raise Refusal(400, {"message": f'400 Bad request - Note {{:note=>["{text}"]}}'})
    return body


def _shape(call: Call, note: Note) -> Json:
    return shapes.note(call.state, note, lookup.noteable(call), call.base_url)
