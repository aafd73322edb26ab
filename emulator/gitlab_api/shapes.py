"""The JSON that GitLab answers with for each kind of object.

Field names and order follow the examples of https://docs.gitlab.com/api/api_resources/ (users,
projects, issues, merge_requests, notes, commits); fields that the emulator has no notion of keep the
value that an ordinary project shows, so that clients that read them find what they expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.state import Commit, FileChange, Issue, MergeRequest, Note, Noteable, Project, State, User

if TYPE_CHECKING:
    from datetime import datetime

    from emulator.gitlab_api.call import Json


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 with milliseconds, as `2026-11-02T09:00:00.000Z`."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def web_url(base_url: str, project: Project, noteable: Noteable | None = None) -> str:
    """The page of a project, or of something in it."""
    url = f"{base_url}/{project.path_with_namespace}"
    if noteable is None:
        return url
    kind = "issues" if isinstance(noteable, Issue) else "merge_requests"
    return f"{url}/-/{kind}/{noteable.iid}"


def user(account: User, base_url: str) -> Json:
    """A user as it stands inside other objects."""
    return {
        "id": account.id,
        "username": account.username,
        "public_email": "",
        "name": account.name,
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{base_url}/{account.username}",
    }


def whole_user(account: User, base_url: str) -> Json:
    """A user as `/users/:id` and `/user` give it."""
    return {
        **user(account, base_url),
        "created_at": timestamp(account.created_at),
        "bio": "",
        "bot": account.bot,
        "email": account.email,
    }


def project(item: Project, base_url: str) -> Json:
    """A project."""
    host = base_url.partition("://")[2].partition("/")[0].partition(":")[0]
    url = web_url(base_url, item)
    return {
        "id": item.id,
        "description": item.description,
        "name": item.name,
        "name_with_namespace": f"{item.namespace_name} / {item.name}",
        "path": item.path,
        "path_with_namespace": item.path_with_namespace,
        "created_at": timestamp(item.created_at),
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
        "last_activity_at": timestamp(
            max((noteable.updated_at for noteable in item.noteables()), default=item.created_at)
        ),
        "visibility": "public",
        "archived": False,
        "open_issues_count": sum(issue.state == "opened" for issue in item.issues.values()),
        "namespace": {
            "id": item.namespace_id,
            "name": item.namespace_name,
            "path": item.namespace_path.rpartition("/")[2],
            "kind": "group",
            "full_path": item.namespace_path,
            "parent_id": None,
            "avatar_url": None,
            "web_url": f"{base_url}/groups/{item.namespace_path}",
        },
        "_links": {
            "self": f"{base_url}/api/v4/projects/{item.id}",
            "issues": f"{base_url}/api/v4/projects/{item.id}/issues",
            "merge_requests": f"{base_url}/api/v4/projects/{item.id}/merge_requests",
        },
    }


def _noteable(state: State, item: Noteable, base_url: str, sign: str) -> Json:
    """What issues and merge requests have in common; `sign` is `#` or `!`."""
    place = state.projects[item.project_id]
    assignees = [user(state.users[one], base_url) for one in item.assignee_ids]
    return {
        "id": item.id,
        "iid": item.iid,
        "project_id": item.project_id,
        "title": item.title,
        "description": item.description,
        "state": item.state,
        "created_at": timestamp(item.created_at),
        "updated_at": timestamp(item.updated_at),
        "closed_at": timestamp(item.closed_at),
        "closed_by": None if item.closed_by_id is None else user(state.users[item.closed_by_id], base_url),
        "labels": item.labels,
        "milestone": None,
        "assignees": assignees,
        "assignee": assignees[0] if assignees else None,
        "author": user(state.users[item.author_id], base_url),
        "user_notes_count": len(item.notes),
        "upvotes": 0,
        "downvotes": 0,
        "web_url": web_url(base_url, place, item),
        "references": {
            "short": f"{sign}{item.iid}",
            "relative": f"{sign}{item.iid}",
            "full": f"{place.path_with_namespace}{sign}{item.iid}",
        },
        "time_stats": {
            "time_estimate": 0,
            "total_time_spent": 0,
            "human_time_estimate": None,
            "human_total_time_spent": None,
        },
        "task_completion_status": {"count": 0, "completed_count": 0},
        "discussion_locked": None,
        "imported": False,
        "imported_from": "none",
    }


def issue(state: State, item: Issue, base_url: str) -> Json:
    """An issue."""
    own_url = f"{base_url}/api/v4/projects/{item.project_id}/issues/{item.iid}"
    return {
        **_noteable(state, item, base_url, "#"),
        "type": "ISSUE",
        "issue_type": "issue",
        "confidential": item.confidential,
        "due_date": None,
        "merge_requests_count": 0,
        "has_tasks": False,
        "severity": "UNKNOWN",
        "_links": {
            "self": own_url,
            "notes": f"{own_url}/notes",
            "project": f"{base_url}/api/v4/projects/{item.project_id}",
        },
    }


def merge_request(state: State, item: MergeRequest, base_url: str) -> Json:
    """A merge request."""
    return {
        **_noteable(state, item, base_url, "!"),
        "merged_at": None,
        "merge_user": None,
        "source_branch": item.source_branch,
        "target_branch": item.target_branch,
        "source_project_id": item.project_id,
        "target_project_id": item.project_id,
        "reviewers": [],
        "draft": item.title.lower().startswith("draft:"),
        "work_in_progress": item.title.lower().startswith("draft:"),
        "merge_when_pipeline_succeeds": False,
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable" if item.state == "opened" else "not_open",
        "sha": item.sha,
        "merge_commit_sha": None,
        "squash_commit_sha": None,
        "squash": False,
        "force_remove_source_branch": False,
        "has_conflicts": False,
        "blocking_discussions_resolved": True,
        "changes_count": str(len(item.changes)),
        "head_pipeline": None,
        "diff_refs": {
            "base_sha": item.commits[0].parent_sha,
            "head_sha": item.sha,
            "start_sha": item.commits[0].parent_sha,
        },
        "first_contribution": False,
        "user": {"can_merge": item.state == "opened"},
    }


def note(state: State, item: Note, on: Noteable, base_url: str) -> Json:
    """A note, with what it is on."""
    return {
        "id": item.id,
        "type": None,
        "body": item.body,
        "author": user(state.users[item.author_id], base_url),
        "created_at": timestamp(item.created_at),
        "updated_at": timestamp(item.updated_at),
        "system": item.system,
        "noteable_id": on.id,
        "noteable_type": "Issue" if isinstance(on, Issue) else "MergeRequest",
        "project_id": on.project_id,
        "resolvable": False,
        "confidential": item.internal,
        "internal": item.internal,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": on.iid,
        "commands_changes": {},
    }


def commit(state: State, item: Commit, project_url: str) -> Json:
    """A commit; `project_url` is the project's page."""
    author = state.users[item.author_id]
    when = timestamp(item.created_at)
    return {
        "id": item.sha,
        "short_id": item.sha[:8],
        "created_at": when,
        "parent_ids": [item.parent_sha],
        "title": item.message.partition("\n")[0],
        "message": item.message,
        "author_name": author.name,
        "author_email": author.email,
        "authored_date": when,
        "committer_name": author.name,
        "committer_email": author.email,
        "committed_date": when,
        "trailers": {},
        "web_url": f"{project_url}/-/commit/{item.sha}",
    }


def file_change(item: FileChange) -> Json:
    """One file of a merge request's difference."""
    return {
        "old_path": item.path,
        "new_path": item.path,
        "a_mode": "100644",
        "b_mode": "100644",
        "diff": item.diff,
        "new_file": False,
        "renamed_file": False,
        "deleted_file": False,
        "generated_file": False,
        "collapsed": False,
        "too_large": False,
    }
