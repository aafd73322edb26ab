"""Webhooks that changes of projects, groups and memberships trigger.

Groups' hooks hear of what is in them, system hooks of everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import places
from gitlab_emulator.state import Group

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call, Json
    from gitlab_emulator.state import Member, Place, Project

IN_GROUP = {"add": "user_add_to_group", "update": "user_update_for_group", "remove": "user_remove_from_group"}
IN_PROJECT = {"add": "user_add_to_team", "update": "user_update_for_team", "remove": "user_remove_from_team"}
SYSTEM = "system"  # no switch's name: what system hooks hear of whatever their switches


def project(call: Call, item: Project, event_name: str, **more: object) -> None:
    """A project has been made (project_create), changed, renamed or deleted."""
    change = places.Change(event_name=event_name, created_at=item.created_at, updated_at=call.now)
    group = call.state.groups.get(item.namespace_id)
    owner = call.state.users.get(item.creator_id or 0, call.user)
    if group is not None and event_name in ("project_create", "project_destroy"):
        call.execute_hooks("project", places.project(change, item, owner), group=group)
    _tell_system(call, {**places.project_for_system(change, item, owner), **more})


def group(call: Call, item: Group, event_name: str, **more: object) -> None:
    """A group has been made (group_create), renamed or deleted."""
    change = places.Change(event_name=event_name, created_at=item.created_at, updated_at=call.now)
    parent = None if item.parent_id is None else call.state.groups.get(item.parent_id)
    if parent is not None and event_name in ("group_create", "group_destroy"):
        name = event_name.replace("group", "subgroup")
        of_parent = places.Change(event_name=name, created_at=item.created_at, updated_at=call.now)
        call.execute_hooks("subgroup", places.subgroup(of_parent, item, parent), group=parent)
    _tell_system(call, {**places.group_for_system(change, item), **more})


def member(call: Call, place: Place, item: Member, what: str) -> None:
    """Somebody has become a member (add), got another role (update) or left (remove)."""
    names = IN_GROUP if isinstance(place, Group) else IN_PROJECT
    change = places.Change(event_name=names[what], created_at=item.created_at, updated_at=call.now)
    person, role = call.state.users[item.user_id], places.ROLES[item.access_level]
    if isinstance(place, Group):
        body = places.group_member(change, place, person, role, item.expires_at)
        call.execute_hooks("member", body, group=place)
        _tell_system(call, places.group_member_for_system(change, place, person, role))
    else:
        _tell_system(call, places.project_member_for_system(change, place, person, role))


def _tell_system(call: Call, body: Json) -> None:
    call.execute_hooks(SYSTEM, body)
