"""The flat bodies about projects, groups and their members: of group hooks and of system hooks.

No `object_kind` in any of them; `event_name` tells what happened. "Group member events" and the two
sections after it in https://docs.gitlab.com/user/project/integrations/webhook_events/ , and
https://docs.gitlab.com/administration/system_hooks/ .
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.state import DEVELOPER, GUEST, MAINTAINER, OWNER, PLANNER, REPORTER

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.samples.scene import Json
    from gitlab_emulator.state import Group, Project, User

ROLES = {
    GUEST: "Guest",
    PLANNER: "Planner",
    REPORTER: "Reporter",
    DEVELOPER: "Developer",
    MAINTAINER: "Maintainer",
    OWNER: "Owner",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happened (`user_add_to_group`, `project_create`), and since when there is what it is about."""

    event_name: str
    created_at: datetime
    updated_at: datetime

    def as_json(self) -> Json:
        """What all these bodies begin with."""
        return {
            "created_at": parts.iso(self.created_at),
            "updated_at": parts.iso(self.updated_at),
            "event_name": self.event_name,
        }


def group_member(change: Change, group: Group, person: User, role: str, expires_at: str | None) -> Json:
    """Somebody's membership of a group, as the group's hooks show it."""
    return {
        **change.as_json(),
        **_group(group),
        **_person(person),
        "group_access": role,
        "group_plan": None,
        "expires_at": expires_at,
    }


def group_member_for_system(change: Change, group: Group, person: User, role: str) -> Json:
    """Somebody's membership of a group, as system hooks show it."""
    return {**change.as_json(), "group_access": role, **_group(group), **_person(person)}


def project_member_for_system(change: Change, project: Project, person: User, role: str) -> Json:
    """Somebody's membership of a project, as system hooks show it."""
    return {
        **change.as_json(),
        "access_level": role,
        "project_id": project.id,
        "project_name": project.name,
        "project_path": project.path,
        "project_path_with_namespace": project.path_with_namespace,
        **_person(person),
        "project_visibility": project.visibility,
    }


def project(change: Change, item: Project, owner: User) -> Json:
    """A project, as the hooks of its group show it."""
    return {
        **change.as_json(),
        "name": item.name,
        "path": item.path,
        "path_with_namespace": item.path_with_namespace,
        "project_id": item.id,
        "project_namespace_id": item.namespace_id,
        "owners": [{"name": owner.name, "email": "[REDACTED]"}],
        "project_visibility": item.visibility,
    }


def project_for_system(change: Change, item: Project, owner: User) -> Json:
    """A project, as system hooks show it."""
    return {**project(change, item, owner), "owner_name": owner.name, "owner_email": "[REDACTED]"}


def subgroup(change: Change, item: Group, parent: Group) -> Json:
    """A group in a group, as the hooks of the outer one show it."""
    return {
        **change.as_json(),
        "name": item.name,
        "path": item.path,
        "full_path": item.full_path,
        "group_id": item.id,
        "parent_group_id": parent.id,
        "parent_name": parent.name,
        "parent_path": parent.path,
        "parent_full_path": parent.full_path,
    }


def group_for_system(change: Change, item: Group) -> Json:
    """A group, as system hooks show it."""
    return {
        **change.as_json(),
        "name": item.name,
        "path": item.path,
        "full_path": item.full_path,
        "group_id": item.id,
    }


def _group(item: Group) -> Json:
    return {"group_id": item.id, "group_name": item.name, "group_path": item.path}


def _person(user: User) -> Json:
    return {
        "user_name": user.name,
        "user_username": user.username,
        "user_email": "[REDACTED]",
        "user_id": user.id,
    }
