"""Emoji on issues, merge requests and their notes: https://docs.gitlab.com/api/emoji_reactions/ ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import issuable_events, lookup, params, shapes
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, not_found, unauthorized
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import Award, Issue

if TYPE_CHECKING:
    from gitlab_emulator.state import Note, Noteable

NAME = re.compile(r"[a-z0-9_+-]{1,100}")


def list_all(call: Call) -> Answer:
    """GET …/award_emoji."""
    on, note = _on(call)
    return paged(call, list((note or on).awards.values()), lambda award: _shape(call, award))


def get(call: Call) -> Answer:
    """GET …/award_emoji/:award_id."""
    return Answer(body=_shape(call, _award(call)))


def create(call: Call) -> Answer:
    """POST …/award_emoji: 201. Needs `name`, without colons; 404 for one that this account has put there."""
    on, note = _on(call)
    params.require(call.params, "name")
    name = params.text(call.params, "name") or ""
    if not NAME.fullmatch(name):
        raise not_found("Award Emoji Name is not a valid emoji name")
    awards = (note or on).awards
    if any((award.name, award.user_id) == (name, call.user.id) for award in awards.values()):
        raise not_found("Award Emoji Name has already been taken")
    award = Award(id=call.state.next_id("award"), name=name, user_id=call.user.id, created_at=call.now)
    awards[award.id] = award
    issuable_events.awarded(call, award, "award", on, note)
    return Answer(status=201, body=_shape(call, award))


def delete(call: Call) -> Answer:
    """DELETE …/award_emoji/:award_id: 204; 401 for somebody else's."""
    award = _award(call)
    if award.user_id != call.user.id and not call.is_admin:
        raise unauthorized()
    on, note = _on(call)
    del (note or on).awards[award.id]
    issuable_events.awarded(call, award, "revoke", on, note)
    return Answer(status=204)


def _on(call: Call) -> tuple[Noteable, Note | None]:
    """The issue or merge request, and the note on it if the path names one."""
    return lookup.noteable(call), lookup.note(call) if "note_id" in call.ids else None


def _award(call: Call) -> Award:
    on, note = _on(call)
    found = (note or on).awards.get(lookup.number(call, "award_id"))
    if found is None:
        raise not_found()
    return found


def _shape(call: Call, award: Award) -> Json:
    on, note = _on(call)
    kind = "Issue" if isinstance(on, Issue) else "MergeRequest"
    return shapes.award(
        call.state,
        award,
        call.base_url,
        on_id=on.id if note is None else note.id,
        on_kind=kind if note is None else "Note",
    )
