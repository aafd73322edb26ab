"""The JSON that GitLab answers with for users, issues, merge requests and what is on them.

Field names and order follow the examples of https://docs.gitlab.com/api/api_resources/ ; fields that
the emulator has no notion of keep the value that an ordinary project shows, so that clients that read
them find what they expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.state import Issue, MergeRequest, Note, discussions_of

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.gitlab_api.call import Json
    from gitlab_emulator.state import Award, Noteable, Project, State, User


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
        "is_admin": account.admin,
        "namespace_id": account.namespace_id,
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
        "upvotes": sum(award.name == "thumbsup" for award in item.awards.values()),
        "downvotes": sum(award.name == "thumbsdown" for award in item.awards.values()),
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
    merged_by = None if item.merged_by_id is None else user(state.users[item.merged_by_id], base_url)
    return {
        **_noteable(state, item, base_url, "!"),
        "merged_at": timestamp(item.merged_at),
        "merged_by": merged_by,
        "merge_user": merged_by,
        "source_branch": item.source_branch,
        "target_branch": item.target_branch,
        "source_project_id": item.project_id,
        "target_project_id": item.project_id,
        "reviewers": [user(state.users[one], base_url) for one in item.reviewer_ids],
        "draft": item.draft,
        "work_in_progress": item.draft,
        "merge_when_pipeline_succeeds": False,
        "merge_status": "can_be_merged",
        "detailed_merge_status": _merge_status(item),
        "sha": item.sha,
        "merge_commit_sha": item.merge_commit_sha,
        "squash_commit_sha": None,
        "squash": False,
        "force_remove_source_branch": False,
        "has_conflicts": False,
        "blocking_discussions_resolved": all(
            notes[0].resolved_at is not None
            for notes in discussions_of(item).values()
            if resolvable(notes[0], item)
        ),
        "changes_count": str(len(item.changes)),
        "diff_refs": {
            "base_sha": item.commits[0].parent_sha,
            "head_sha": item.sha,
            "start_sha": item.commits[0].parent_sha,
        },
        "first_contribution": False,
        "user": {"can_merge": item.state == "opened"},
    }


def _merge_status(item: MergeRequest) -> str:
    if item.state != "opened":
        return "not_open"
    return "draft_status" if item.draft else "mergeable"


def resolvable(item: Note, on: Noteable) -> bool:
    """Whether a note can be marked as resolved: those in discussions of merge requests."""
    return item.kind is not None and isinstance(on, MergeRequest)


def award(state: State, item: Award, base_url: str, *, on_id: int, on_kind: str) -> Json:
    """An emoji; `on_kind` is Issue, MergeRequest or Note."""
    return {
        "id": item.id,
        "name": item.name,
        "user": user(state.users[item.user_id], base_url),
        "created_at": timestamp(item.created_at),
        "updated_at": timestamp(item.created_at),
        "awardable_id": on_id,
        "awardable_type": on_kind,
        "url": None,
    }


def discussion(state: State, notes: list[Note], on: Noteable, base_url: str) -> Json:
    """Notes that share a discussion."""
    return {
        "id": notes[0].discussion_id,
        "individual_note": notes[0].kind is None,
        "notes": [note(state, one, on, base_url) for one in notes],
    }


def note(state: State, item: Note, on: Noteable, base_url: str) -> Json:
    """A note, with what it is on."""
    shape = {
        "id": item.id,
        "type": item.kind,
        "body": item.body,
        "author": user(state.users[item.author_id], base_url),
        "created_at": timestamp(item.created_at),
        "updated_at": timestamp(item.updated_at),
        "system": item.system,
        "noteable_id": on.id,
        "noteable_type": "Issue" if isinstance(on, Issue) else "MergeRequest",
        "project_id": on.project_id,
        "resolvable": resolvable(item, on),
        "confidential": item.internal,
        "internal": item.internal,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": on.iid,
        "commands_changes": {},
    }
    if resolvable(item, on):
        by = None if item.resolved_by_id is None else user(state.users[item.resolved_by_id], base_url)
        shape |= {
            "resolved": item.resolved_at is not None,
            "resolved_by": by,
            "resolved_at": timestamp(item.resolved_at),
        }
    if item.position is not None:
        shape |= {"position": item.position, "commit_id": item.position.get("head_sha")}
    return shape
