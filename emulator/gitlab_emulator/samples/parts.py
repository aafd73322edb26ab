"""The blocks that event bodies share: user, project, repository, commit, labels, and the dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gitlab_emulator.samples.scene import Json, Setting
    from gitlab_emulator.state import Commit, Project, User

VISIBILITY_LEVELS = {"private": 0, "internal": 10, "public": 20}


def utc(moment: datetime | None) -> str | None:
    """The form of dates in most events: `2026-11-02 09:00:00 UTC`."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def iso(moment: datetime) -> str:
    """The form of dates in commits: `2026-11-02T09:00:00Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def url(setting: Setting, rest: str = "") -> str:
    """A page of the project."""
    return f"{setting.base_url}/{setting.project.path_with_namespace}{rest}"


def user(person: User) -> Json:
    """Who did it; GitLab hides addresses that are not public."""
    return {
        "id": person.id,
        "name": person.name,
        "username": person.username,
        "avatar_url": None,
        "email": "[REDACTED]",
    }


def clone_urls(setting: Setting) -> tuple[str, str]:
    """Where the repository can be cloned from, by ssh and by http."""
    host = setting.base_url.partition("://")[2].partition("/")[0].partition(":")[0]
    return f"git@{host}:{setting.project.path_with_namespace}.git", url(setting, ".git")


def project(setting: Setting) -> Json:
    """The project that it happened in."""
    item: Project = setting.project
    ssh_url, http_url = clone_urls(setting)
    return {
        "id": item.id,
        "name": item.name,
        "description": item.description,
        "web_url": url(setting),
        "avatar_url": None,
        "git_ssh_url": ssh_url,
        "git_http_url": http_url,
        "namespace": item.namespace_name,
        "visibility_level": VISIBILITY_LEVELS[item.visibility],
        "path_with_namespace": item.path_with_namespace,
        "default_branch": item.default_branch,
        "ci_config_path": None,
    }


def project_with_old_names(setting: Setting) -> Json:
    """The same, with the names that its addresses had before: in all but pipelines and jobs."""
    ssh_url, http_url = clone_urls(setting)
    old = {"homepage": url(setting), "url": ssh_url, "ssh_url": ssh_url, "http_url": http_url}
    return {**project(setting), **old}


def repository(setting: Setting) -> Json:
    """The old short form of the project."""
    return {
        "name": setting.project.name,
        "url": clone_urls(setting)[0],
        "description": setting.project.description,
        "homepage": url(setting),
    }


def repository_with_clone_urls(setting: Setting) -> Json:
    """The same as pushes and jobs have it."""
    ssh_url, http_url = clone_urls(setting)
    return {
        **repository(setting),
        "git_http_url": http_url,
        "git_ssh_url": ssh_url,
        "visibility_level": VISIBILITY_LEVELS[setting.project.visibility],
    }


def commit(setting: Setting, item: Commit) -> Json:
    """A commit as pushes, merge requests and pipelines show it."""
    author = setting.state.users[item.author_id]
    return {
        "id": item.sha,
        "message": item.message,
        "title": item.message.partition("\n")[0],
        "timestamp": iso(item.created_at),
        "url": url(setting, f"/-/commit/{item.sha}"),
        "author": {"name": author.name, "email": "[REDACTED]"},
    }


def labels(setting: Setting, titles: Iterable[str]) -> list[Json]:
    """The labels with these titles, as far as the project has them."""
    found = [setting.project.label(title) for title in titles]
    return [
        {
            "id": label.id,
            "title": label.title,
            "color": label.color,
            "project_id": setting.project.id,
            "created_at": utc(label.created_at),
            "updated_at": utc(label.updated_at),
            "template": False,
            "description": label.description,
            "type": "ProjectLabel",
            "group_id": None,
        }
        for label in found
        if label is not None
    ]


def people(setting: Setting, ids: Iterable[int]) -> list[Json]:
    """Assignees or reviewers."""
    return [user(setting.state.users[one]) for one in ids]


def changed(old: Json, new: Json) -> Json:
    """The `changes` of an event: what differs, as `{"previous": …, "current": …}`."""
    return {
        name: {"previous": old.get(name), "current": new[name]} for name in new if old.get(name) != new[name]
    }
