"""Members of projects and groups: https://docs.gitlab.com/api/project_members/ , group_members."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import lookup, namespace_events, params, shapes_places
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal, bad_parameter, bad_value, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import ACCESS_LEVELS, MAINTAINER, OWNER, Group, Member

if TYPE_CHECKING:
    from gitlab_emulator.state import Place


def list_own(call: Call) -> Answer:
    """GET …/members: those of this very project or group."""
    return _list(call, list(lookup.place(call).members.values()))


def list_all(call: Call) -> Answer:
    """GET …/members/all: also those of the groups above, each with the highest level."""
    return _list(call, list(_all(call).values()))


def get(call: Call) -> Answer:
    """GET …/members/:user_id."""
    return Answer(body=_shape(call, _member(call)))


def get_of_all(call: Call) -> Answer:
    """GET …/members/all/:user_id."""
    found = _all(call).get(lookup.number(call, "user_id"))
    if found is None:
        raise not_found()
    return Answer(body=_shape(call, found))


def create(call: Call) -> Answer:
    """POST …/members: 201; 409 for who is one already. Needs `user_id` or `username`, and `access_level`."""
    place = _administered(call)
    params.require(call.params, "access_level")
    params.require_one(call.params, "user_id", "username")
    level, expires_at = _level(call, place), _expiry(call)
    reference = params.text(call.params, "user_id") or params.text(call.params, "username") or ""
    user = call.state.user(reference)
    if user is None:
        raise not_found("User")
    if user.id in place.members:
        raise Refusal(409, {"message": "Member already exists"})
    member = Member(
        user_id=user.id,
        access_level=level,
        created_at=call.now,
        created_by_id=call.user.id,
        expires_at=expires_at,
    )
    place.members[user.id] = member
    namespace_events.member(call, place, member, "add")
    return Answer(status=201, body=_shape(call, member))


def edit(call: Call) -> Answer:
    """PUT …/members/:user_id. Needs `access_level`."""
    place, member = _administered(call), _member(call)
    params.require(call.params, "access_level")
    level, expires_at = _level(call, place), _expiry(call)
    member.access_level = level
    member.expires_at = expires_at if "expires_at" in call.params else member.expires_at
    namespace_events.member(call, place, member, "update")
    return Answer(body=_shape(call, member))


def delete(call: Call) -> Answer:
    """DELETE …/members/:user_id: 204. Everybody may leave."""
    member = _member(call)
    place = lookup.place(call) if member.user_id == call.user.id else _administered(call)
    del place.members[member.user_id]
    namespace_events.member(call, place, member, "remove")
    return Answer(status=204)


def _administered(call: Call) -> Place:
    """The place, if this account may say who is a member there."""
    place = lookup.place(call)
    call.require(place, OWNER if isinstance(place, Group) else MAINTAINER)
    return place


def _member(call: Call) -> Member:
    found = lookup.place(call).members.get(lookup.number(call, "user_id"))
    if found is None:
        raise not_found()
    return found


def _all(call: Call) -> dict[int, Member]:
    place = lookup.place(call)
    found: dict[int, Member] = {}
    for one in (place, *call.state.groups_above(place)):
        for member in one.members.values():
            known = found.get(member.user_id)
            if known is None or known.access_level < member.access_level:
                found[member.user_id] = member
    return found


def _level(call: Call, place: Place) -> int:
    level = params.whole_number(call.params, "access_level")
    if level not in ACCESS_LEVELS:
        raise bad_value("access_level", "is not included in the list")
    call.require(place, level)  # nobody gives away more than they have
    return level


def _expiry(call: Call) -> str | None:
    value = params.text(call.params, "expires_at")
    try:
        return date.fromisoformat(value).isoformat() if value else None
    except ValueError:
        raise bad_parameter("expires_at is invalid") from None


def _list(call: Call, members: list[Member]) -> Answer:
    query = (params.text(call.params, "query") or "").lower()
    ids = params.numbers(call.params, "user_ids")
    users = call.state.users
    found = [
        one
        for one in members
        if (ids is None or one.user_id in ids)
        and query in f"{users[one.user_id].name}\n{users[one.user_id].username}".lower()
    ]
    return paged(call, found, lambda one: _shape(call, one))


def _shape(call: Call, member: Member) -> Json:
    return shapes_places.member(call.state, member, call.base_url)
