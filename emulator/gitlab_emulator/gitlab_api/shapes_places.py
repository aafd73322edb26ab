"""The JSON that GitLab answers with for projects and groups, their members and labels.

https://docs.gitlab.com/api/projects/ , groups, namespaces, project_members, labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import shapes

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Json
    from gitlab_emulator.state import Group, Label, Member, Project, State

DARKEST_WITH_DARK_TEXT = 500


def project(state: State, item: Project, base_url: str) -> Json:
    """A project."""
    host = base_url.partition("://")[2].partition("/")[0].partition(":")[0]
    url = shapes.web_url(base_url, item)
    return {
        "id": item.id,
        "description": item.description,
        "name": item.name,
        "name_with_namespace": f"{item.namespace_name} / {item.name}",
        "path": item.path,
        "path_with_namespace": item.path_with_namespace,
        "created_at": shapes.timestamp(item.created_at),
        "default_branch": item.default_branch,
        "tag_list": [],
        "topics": [],
        "ssh_url_to_repo": f"git@{host}:{item.path_with_namespace}.git",
        "http_url_to_repo": f"{url}.git",
        "web_url": url,
        "readme_url": None,
        "forks_count": 0,
        "avatar_url": None,
        "star_count": 0,
        "last_activity_at": shapes.timestamp(item.last_activity_at),
        "visibility": item.visibility,
        "archived": item.archived,
        "empty_repo": not item.repository.branches,
        "creator_id": item.creator_id,
        "open_issues_count": sum(issue.state == "opened" for issue in item.issues.values()),
        "namespace": namespace(state, item, base_url),
        "_links": {
            "self": f"{base_url}/api/v4/projects/{item.id}",
            "issues": f"{base_url}/api/v4/projects/{item.id}/issues",
            "merge_requests": f"{base_url}/api/v4/projects/{item.id}/merge_requests",
            "repo_branches": f"{base_url}/api/v4/projects/{item.id}/repository/branches",
            "labels": f"{base_url}/api/v4/projects/{item.id}/labels",
            "members": f"{base_url}/api/v4/projects/{item.id}/members",
        },
    }


def namespace(state: State, item: Project, base_url: str) -> Json:
    """The group or the account that a project belongs to."""
    group = state.groups.get(item.namespace_id)
    return {
        "id": item.namespace_id,
        "name": item.namespace_name,
        "path": item.namespace_path.rpartition("/")[2],
        "kind": "user" if group is None else "group",
        "full_path": item.namespace_path,
        "parent_id": None if group is None else group.parent_id,
        "avatar_url": None,
        "web_url": f"{base_url}/{'' if group is None else 'groups/'}{item.namespace_path}",
    }


def group(item: Group, base_url: str) -> Json:
    """A group."""
    return {
        "id": item.id,
        "web_url": f"{base_url}/groups/{item.full_path}",
        "name": item.name,
        "path": item.path,
        "description": item.description,
        "visibility": item.visibility,
        "share_with_group_lock": False,
        "require_two_factor_authentication": False,
        "project_creation_level": "developer",
        "subgroup_creation_level": "maintainer",
        "request_access_enabled": True,
        "avatar_url": None,
        "full_name": item.name,
        "full_path": item.full_path,
        "created_at": shapes.timestamp(item.created_at),
        "parent_id": item.parent_id,
        "archived": False,
    }


def group_namespace(item: Group, base_url: str) -> Json:
    """A group as the list of namespaces has it."""
    whole = group(item, base_url)
    names = ("id", "name", "path", "full_path", "parent_id", "avatar_url", "web_url")
    return {**{name: whole[name] for name in names}, "kind": "group"}


def member(state: State, item: Member, base_url: str) -> Json:
    """A member of a project or group."""
    by = None if item.created_by_id is None else shapes.user(state.users[item.created_by_id], base_url)
    return {
        **shapes.user(state.users[item.user_id], base_url),
        "access_level": item.access_level,
        "created_at": shapes.timestamp(item.created_at),
        "created_by": by,
        "expires_at": item.expires_at,
        "membership_state": "active",
    }


def label(project_: Project, item: Label, *, with_counts: bool = False) -> Json:
    """A label; the numbers of issues and merge requests that bear it where they are asked for."""
    shape = {
        "id": item.id,
        "name": item.title,
        "description": item.description,
        "description_html": item.description or "",
        "text_color": "#1F1E24" if _is_bright(item.color) else "#FFFFFF",
        "color": item.color,
        "archived": False,
        "subscribed": False,
        "priority": item.priority,
        "is_project_label": True,
    }
    if with_counts:
        issues = [one.state for one in project_.issues.values() if item.title in one.labels]
        merge_requests = [one.state for one in project_.merge_requests.values() if item.title in one.labels]
        shape |= {
            "open_issues_count": issues.count("opened"),
            "closed_issues_count": issues.count("closed"),
            "open_merge_requests_count": merge_requests.count("opened"),
        }
    return shape


def _is_bright(color: str) -> bool:
    digits = color.removeprefix("#")
    return sum(int(digits[at : at + 2], 16) for at in (0, 2, 4)) > DARKEST_WITH_DARK_TEXT
