"""System Hook: groups and projects, and pushes to them. Told apart by `event_name`, if they have one.

https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import merge_requests, parts, places, pushes
from gitlab_emulator.samples.groups import change
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlab_emulator.samples.sample import Sample
    from gitlab_emulator.samples.scene import Json, Scene


def samples_of(build: Callable[[Scene, str], Json], **summaries: str) -> list[Sample]:
    """Return the samples of events by their event_name, which `build` makes the body of."""
    return [
        sample(f"system-{event_name.replace('_', '-')}", summary, build, event_name)
        for event_name, summary in summaries.items()
    ]


def _repository_updated(scene: Scene) -> Json:
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


def _group(scene: Scene, event_name: str) -> Json:
    old = {"old_path": "hothouse", "old_full_path": "hothouse"} if event_name == "group_rename" else {}
    return {**places.group_for_system(change(scene, event_name), scene.group), **old}


def _project(scene: Scene, event_name: str) -> Json:
    project = scene.project
    old_paths = {
        "project_rename": f"{project.namespace_path}/sprinkler",
        "project_transfer": f"hothouse/{project.path}",
    }
    old = {"old_path_with_namespace": old_paths[event_name]} if event_name in old_paths else {}
    return {**places.project_for_system(change(scene, event_name), project, scene.maintainer), **old}


def _pushed(scene: Scene) -> Json:
    return {**pushes.pushed(scene), "commits": []}


def _tag_pushed(scene: Scene) -> Json:
    return {**pushes.tag_pushed(scene), "commits": []}


SAMPLES = [
    sample("system-push", "The maintainer pushes: as a project's hook reports it, without commits.", _pushed),
    sample("system-tag-push", "The maintainer pushes a tag.", _tag_pushed),
    sample(
        "system-merge-request",
        "A merge request is opened: as a project's hook reports it, without event_name.",
        merge_requests.opened,
    ),
    sample(
        "system-repository-update",
        "A repository is pushed to: one event per push, however many branches and tags it moves.",
        _repository_updated,
    ),
    *samples_of(
        _project,
        project_create="A project is created.",
        project_destroy="A project is deleted.",
        project_rename="A project gets another path.",
        project_transfer="A project moves to another group.",
        project_update="A project is changed, but not its path.",
    ),
    *samples_of(
        _group,
        group_create="A group is created.",
        group_destroy="A group is deleted.",
        group_rename="A group gets another path.",
    ),
]
