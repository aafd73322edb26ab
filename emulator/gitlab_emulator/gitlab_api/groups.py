"""Groups and namespaces: https://docs.gitlab.com/api/groups/ , namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import deletion, lookup, namespace_events, params, paths, shapes_places
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal, forbidden, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import MAINTAINER, OWNER, Group, Member

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DEPTH = 20


def list_all(call: Call) -> Answer:
    """GET /groups, by name; `search`, `owned`, `top_level_only` narrow."""
    return _list(call, call.state.groups.values())


def list_below(call: Call) -> Answer:
    """GET /groups/:id/subgroups."""
    group = lookup.group(call)
    return _list(call, [one for one in call.state.groups.values() if one.parent_id == group.id])


def get(call: Call) -> Answer:
    """GET /groups/:id, with its projects."""
    group = lookup.group(call)
    projects = [
        shapes_places.project(call.state, one, call.base_url)
        for one in call.state.projects.values()
        if one.namespace_id == group.id and call.sees(one)
    ]
    with_projects = params.flag(call.params, "with_projects")
    return Answer(body=_shape(call, group) | ({} if with_projects is False else {"projects": projects}))


def create(call: Call) -> Answer:
    """POST /groups: 201. Needs `name` and `path`."""
    params.require(call.params, "name", "path")
    name, path = paths.name_and_path(call)
    description = params.long_text(call.params, "description") or ""
    visibility = params.choice(call.params, "visibility", *paths.VISIBILITIES) or "private"
    parent = _parent(call)
    full_path = path if parent is None else f"{parent.full_path}/{path}"
    taken = call.state.group(full_path) or call.state.project(full_path)
    if taken is not None or (parent is None and call.state.user(path) is not None):
        raise Refusal(400, {"message": 'Failed to save group {:path=>["has already been taken"]}'})
    group = Group(
        id=call.state.next_id("group"),
        name=name,
        full_path=full_path,
        created_at=call.now,
        parent_id=None if parent is None else parent.id,
        description=description,
        visibility=visibility,
    )
    group.members[call.user.id] = Member(user_id=call.user.id, access_level=OWNER, created_at=call.now)
    call.state.groups[group.id] = group
    namespace_events.group(call, group, "group_create")
    return Answer(status=201, body=_shape(call, group))


def edit(call: Call) -> Answer:
    """PUT /groups/:id. Another `path` moves all that is below it."""
    group = lookup.group(call, OWNER)
    params.require_any(call.params, "name", "path", "description", "visibility")
    name = params.line(call.params, "name") if "name" in call.params else group.name
    path = paths.checked(params.text(call.params, "path") or group.path)
    description = params.long_text(call.params, "description")
    visibility = params.choice(call.params, "visibility", *paths.VISIBILITIES) or group.visibility
    old = group.full_path
    new = f"{old.rpartition('/')[0]}/{path}".lstrip("/")
    if new.lower() != old.lower() and call.state.group(new) is not None:
        raise Refusal(400, {"message": {"path": ["has already been taken"]}})
    group.name, group.visibility = name, visibility
    group.description = group.description if description is None else description
    if new != old:
        old_path = group.path
        call.state.move_group(group, new)
        namespace_events.group(call, group, "group_rename", old_path=old_path, old_full_path=old)
    return Answer(body=_shape(call, group))


def delete(call: Call) -> Answer:
    """DELETE /groups/:id: 202, for owners; with all that is below it."""
    group = lookup.group(call, OWNER)
    namespace_events.group(call, group, "group_destroy")
    deletion.remove_group(call, group)
    return Answer(status=202, body={"message": "202 Accepted"})


def list_namespaces(call: Call) -> Answer:
    """GET /namespaces: the account's own and the groups in which it may do anything."""
    own: Json = {
        "id": call.user.namespace_id,
        "name": call.user.name,
        "path": call.user.username,
        "kind": "user",
        "full_path": call.user.username,
        "parent_id": None,
        "avatar_url": None,
        "web_url": f"{call.base_url}/{call.user.username}",
    }
    groups = [
        shapes_places.group_namespace(group, call.base_url)
        for group in call.state.groups.values()
        if call.level(group) > 0
    ]
    wanted = (params.text(call.params, "search") or "").lower()
    found = [one for one in (own, *groups) if wanted in f"{one['name']}\n{one['full_path']}".lower()]
    return paged(call, found, lambda one: one)


def _parent(call: Call) -> Group | None:
    number = params.whole_number(call.params, "parent_id")
    if number is None:
        return None
    parent = call.state.groups.get(number)
    if parent is None or not call.sees(parent):
        raise not_found("Group")
    if call.level(parent) < MAINTAINER or parent.full_path.count("/") + 1 >= MAX_DEPTH:
        raise forbidden()
    return parent


def _list(call: Call, groups: Iterable[Group]) -> Answer:
    wanted = (params.text(call.params, "search") or "").lower()
    owned = params.flag(call.params, "owned") or False
    only_top = params.flag(call.params, "top_level_only") or False
    found = [
        group
        for group in groups
        if call.sees(group)
        and wanted in f"{group.name}\n{group.full_path}".lower()
        and (not owned or call.level(group) >= OWNER)
        and not (only_top and group.parent_id is not None)
    ]
    return paged(call, sorted(found, key=lambda group: group.name.lower()), lambda one: _shape(call, one))


def _shape(call: Call, group: Group) -> Json:
    above = [group, *call.state.groups_above(group)][::-1]
    return {**shapes_places.group(group, call.base_url), "full_name": " / ".join(one.name for one in above)}
