"""Member Hook, Project Hook, Subgroup Hook: what a group's hooks hear of who and what is in it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts, places
from gitlab_emulator.samples.sample import sample
from gitlab_emulator.state import Group

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

SUBGROUP_ID = 6
BEGINNINGS = ("_create", "_add_to_", "_request_to_")


def change(scene: Scene, event_name: str) -> places.Change:
    """Return the change that the event reports: of something new, or of something 20 days old."""
    new = any(part in event_name for part in BEGINNINGS)
    made_at = scene.now if new else scene.now - timedelta(days=20)
    return places.Change(event_name=event_name, created_at=made_at, updated_at=scene.now)


def _member(scene: Scene, event_name: str, role: str) -> Json:
    what, ends_at = change(scene, event_name), scene.now + timedelta(days=90)
    return places.group_member(what, scene.group, scene.reporter, role, parts.iso(ends_at))


def _project(scene: Scene, event_name: str) -> Json:
    return places.project(change(scene, event_name), scene.project, scene.maintainer)


def _subgroup(scene: Scene, event_name: str) -> Json:
    parent = scene.group
    inner = Group(
        id=SUBGROUP_ID,
        name="Tool Shed",
        full_path=f"{parent.full_path}/tool-shed",
        created_at=scene.now,
        parent_id=parent.id,
    )
    return places.subgroup(change(scene, event_name), inner, parent)


MEMBERS = [
    sample(f"member-{name}", summary, _member, event_name, role)
    for name, event_name, role, summary in (
        ("add", "user_add_to_group", "Guest", "The reporter becomes a member of the group."),
        ("update", "user_update_for_group", "Developer", "The reporter gets another role in the group."),
        ("remove", "user_remove_from_group", "Developer", "The reporter is no longer a member of the group."),
        ("access-request", "user_access_request_to_group", "Guest", "The reporter asks to join the group."),
        (
            *("access-denied", "user_access_request_denied_for_group", "Guest"),
            "The reporter's request to join the group is denied.",
        ),
    )
]
PROJECTS = [
    sample("project-create", "A project is created in the group.", _project, "project_create"),
    sample("project-destroy", "A project of the group is deleted.", _project, "project_destroy"),
]
SUBGROUPS = [
    sample("subgroup-create", "A subgroup is created in the group.", _subgroup, "subgroup_create"),
    sample("subgroup-destroy", "A subgroup of the group is deleted.", _subgroup, "subgroup_destroy"),
]
