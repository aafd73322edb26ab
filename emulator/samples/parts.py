"""The blocks that event bodies share: user, project, repository, commit, labels, and the dates."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from emulator.samples.scene import Json, Scene
    from emulator.state import Commit, Noteable, Project, User

PUBLIC = 20  # visibility_level: 0 private, 10 internal, 20 public


def utc(moment: datetime | None) -> str | None:
    """The form of dates in most events: `2026-11-02 09:00:00 UTC`."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def iso(moment: datetime) -> str:
    """The form of dates in commits: `2026-11-02T09:00:00Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def url(scene: Scene, rest: str = "") -> str:
    """A page of the scene's project."""
    return f"{scene.base_url}/{scene.project.path_with_namespace}{rest}"


def user(person: User) -> Json:
    """Who did it; GitLab hides addresses that are not public."""
    return {
        "id": person.id,
        "name": person.name,
        "username": person.username,
        "avatar_url": None,
        "email": "[REDACTED]",
    }


def _clone_urls(scene: Scene) -> tuple[str, str]:
    host = scene.base_url.partition("://")[2].partition("/")[0].partition(":")[0]
    return f"git@{host}:{scene.project.path_with_namespace}.git", url(scene, ".git")


def project(scene: Scene) -> Json:
    """The project that it happened in."""
    item: Project = scene.project
    ssh_url, http_url = _clone_urls(scene)
    return {
        "id": item.id,
        "name": item.name,
        "description": item.description,
        "web_url": url(scene),
        "avatar_url": None,
        "git_ssh_url": ssh_url,
        "git_http_url": http_url,
        "namespace": item.namespace_name,
        "visibility_level": PUBLIC,
        "path_with_namespace": item.path_with_namespace,
        "default_branch": item.default_branch,
        "ci_config_path": None,
    }


def project_with_old_names(scene: Scene) -> Json:
    """The same, with the names that its addresses had before: in all but pipelines and jobs."""
    ssh_url, http_url = _clone_urls(scene)
    old = {"homepage": url(scene), "url": ssh_url, "ssh_url": ssh_url, "http_url": http_url}
    return {**project(scene), **old}


def repository(scene: Scene) -> Json:
    """The old short form of the project."""
    return {
        "name": scene.project.name,
        "url": _clone_urls(scene)[0],
        "description": scene.project.description,
        "homepage": url(scene),
    }


def repository_with_clone_urls(scene: Scene) -> Json:
    """The same as pushes and jobs have it."""
    ssh_url, http_url = _clone_urls(scene)
    return {
        **repository(scene),
        "git_http_url": http_url,
        "git_ssh_url": ssh_url,
        "visibility_level": PUBLIC,
    }


def commit(scene: Scene, item: Commit) -> Json:
    """A commit as pushes, merge requests and pipelines show it."""
    author = scene.state.users[item.author_id]
    return {
        "id": item.sha,
        "message": item.message,
        "title": item.message.partition("\n")[0],
        "timestamp": iso(item.created_at),
        "url": url(scene, f"/-/commit/{item.sha}"),
        "author": {"name": author.name, "email": "[REDACTED]"},
    }


def labels(scene: Scene, noteable: Noteable) -> list[Json]:
    """An issue's or merge request's labels. The emulator keeps names only: the rest is made of them."""
    return [
        {
            "id": zlib.crc32(name.encode()) % 100_000,
            "title": name,
            "color": f"#{zlib.crc32(name.encode()) & 0xFFFFFF:06x}",
            "project_id": scene.project.id,
            "created_at": utc(scene.project.created_at),
            "updated_at": utc(scene.project.created_at),
            "template": False,
            "description": None,
            "type": "ProjectLabel",
            "group_id": None,
        }
        for name in noteable.labels
    ]


def people(scene: Scene, ids: list[int]) -> list[Json]:
    """Assignees or reviewers."""
    return [user(scene.state.users[one]) for one in ids]
