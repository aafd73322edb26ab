"""Member Hook, Project Hook, Subgroup Hook: what a group's hooks hear of who and what is in it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts, places
from gitlab_emulator.state import Group

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

SUBGROUP_ID = 6


def change(scene: Scene, event_name: str, *, new: bool) -> places.Change:
    """What happens; `new` when that is a beginning."""
    made_at = scene.now if new else scene.now - timedelta(days=20)
    return places.Change(event_name=event_name, created_at=made_at, updated_at=scene.now)


def member_added(scene: Scene) -> Json:
    """The reporter becomes a member of the group."""
    return _member(scene, "user_add_to_group", "Guest", new=True)


def member_updated(scene: Scene) -> Json:
    """The reporter gets another role in the group."""
    return _member(scene, "user_update_for_group", "Developer")


def member_removed(scene: Scene) -> Json:
    """The reporter is a member of the group no more."""
    return _member(scene, "user_remove_from_group", "Developer")


def access_requested(scene: Scene) -> Json:
    """The reporter asks to become a member of the group."""
    return _member(scene, "user_access_request_to_group", "Guest", new=True)


def access_denied(scene: Scene) -> Json:
    """The reporter's request to become a member is denied."""
    return _member(scene, "user_access_request_denied_for_group", "Guest")


def project_created(scene: Scene) -> Json:
    """A project is made in the group."""
    return _project(scene, "project_create", new=True)


def project_destroyed(scene: Scene) -> Json:
    """A project of the group is deleted."""
    return _project(scene, "project_destroy")


def subgroup_created(scene: Scene) -> Json:
    """A subgroup is made in the group."""
    return _subgroup(scene, "subgroup_create", new=True)


def subgroup_destroyed(scene: Scene) -> Json:
    """A subgroup of the group is deleted."""
    return _subgroup(scene, "subgroup_destroy")


def _member(scene: Scene, event_name: str, role: str, *, new: bool = False) -> Json:
    what, ends_at = change(scene, event_name, new=new), scene.now + timedelta(days=90)
    return places.group_member(what, scene.group, scene.reporter, role, parts.iso(ends_at))


def _project(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    return places.project(change(scene, event_name, new=new), scene.project, scene.maintainer)


def _subgroup(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    parent = scene.group
    inner = Group(
        id=SUBGROUP_ID,
        name="Tool Shed",
        full_path=f"{parent.full_path}/tool-shed",
        created_at=scene.now,
        parent_id=parent.id,
    )
    return places.subgroup(change(scene, event_name, new=new), inner, parent)
