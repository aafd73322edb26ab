"""System Hook: groups and projects, and pushes to them. Told apart by `event_name`, if they have one.

https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import merge_requests, parts, places, pushes
from gitlab_emulator.samples.groups import change

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

OLD_PATH = "sprinkler"


def group_created(scene: Scene) -> Json:
    """A group is made."""
    return _group(scene, "group_create", new=True)


def group_destroyed(scene: Scene) -> Json:
    """A group is deleted."""
    return _group(scene, "group_destroy")


def group_renamed(scene: Scene) -> Json:
    """A group gets another path."""
    return {
        **_group(scene, "group_rename"),
        "old_path": "hothouse",
        "old_full_path": "hothouse",
    }


def project_created(scene: Scene) -> Json:
    """A project is made."""
    return _project(scene, "project_create", new=True)


def project_destroyed(scene: Scene) -> Json:
    """A project is deleted."""
    return _project(scene, "project_destroy")


def project_updated(scene: Scene) -> Json:
    """A project is changed, but for its path."""
    return _project(scene, "project_update")


def project_renamed(scene: Scene) -> Json:
    """A project gets another path."""
    old_path = f"{scene.project.namespace_path}/{OLD_PATH}"
    return {**_project(scene, "project_rename"), "old_path_with_namespace": old_path}


def project_transferred(scene: Scene) -> Json:
    """A project moves to another group."""
    old_path = f"hothouse/{scene.project.path}"
    return {**_project(scene, "project_transfer"), "old_path_with_namespace": old_path}


def pushed(scene: Scene) -> Json:
    """The maintainer pushes: as a project's hook tells it, but without the commits."""
    return {**pushes.pushed(scene), "commits": []}


def tag_pushed(scene: Scene) -> Json:
    """The maintainer pushes a tag."""
    return {**pushes.tag_pushed(scene), "commits": []}


def merge_request_opened(scene: Scene) -> Json:
    """A merge request is opened: as a project's hook tells it, without event_name."""
    return merge_requests.opened(scene)


def repository_updated(scene: Scene) -> Json:
    """A repository is pushed to: once for a push, however many branches and tags it moves."""
    push = pushes.pushed(scene)
    moved = {"before": push["before"], "after": push["after"], "ref": push["ref"]}
    return {
        "event_name": "repository_update",
        **{name: push[name] for name in ("user_id", "user_name", "user_email", "user_avatar")},
        "project_id": scene.project.id,
        "project": parts.project_with_old_names(scene),
        "changes": [moved],
        "refs": [push["ref"]],
    }


def _group(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    return places.group_for_system(change(scene, event_name, new=new), scene.group)


def _project(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    return places.project_for_system(change(scene, event_name, new=new), scene.project, scene.maintainer)
