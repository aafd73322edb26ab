"""Webhooks that changes of issues, merge requests and notes trigger.

Which acts GitLab tells of: https://docs.gitlab.com/user/project/integrations/webhook_events/ .
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.samples import emoji, issues, merge_requests, notes
from gitlab_emulator.state import Issue, MergeRequest

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call
    from gitlab_emulator.state import Award, Note, Noteable


def opened(call: Call, item: Noteable) -> None:
    """An issue or merge request has been opened."""
    _tell(call, item, "open", None)


def edited(call: Call, before: Noteable, item: Noteable) -> None:
    """It has been edited: GitLab tells of a new state first, then of all else that changed."""
    middle = before
    if item.state != before.state:
        middle = replace(
            before,
            state=item.state,
            closed_at=item.closed_at,
            closed_by_id=item.closed_by_id,
            updated_at=item.updated_at,
        )
        _tell(call, middle, "close" if item.state == "closed" else "reopen", before)
    if _differ(call, middle, item):
        _tell(call, item, "update", middle)


def acted(call: Call, item: MergeRequest, action: str, before: MergeRequest | None = None) -> None:
    """A merge request has been approved, unapproved or merged."""
    _tell(call, item, action, before)


def noted(call: Call, on: Noteable, note: Note, action: str) -> None:
    """A note has been written (create) or edited (update)."""
    project = call.state.projects[on.project_id]
    body = notes.event(call.act(project), on, note, action)
    call.execute_hooks(notes.trigger(on, note), body, project=project)


def awarded(call: Call, award: Award, action: str, on: Noteable, note: Note | None) -> None:
    """An emoji has been put on something (award) or taken away (revoke)."""
    project = call.state.projects[on.project_id]
    call.execute_hooks("emoji", emoji.event(call.act(project), award, action, on, note), project=project)


def _differ(call: Call, before: Noteable, item: Noteable) -> bool:
    act = call.act(call.state.projects[item.project_id])
    if isinstance(before, Issue) and isinstance(item, Issue):
        return bool(issues.changes(act, before, item))
    if isinstance(before, MergeRequest) and isinstance(item, MergeRequest):
        return bool(merge_requests.changes(act, before, item))
    return False


def _tell(call: Call, item: Noteable, action: str, before: Noteable | None) -> None:
    project = call.state.projects[item.project_id]
    act = call.act(project)
    if isinstance(item, Issue):
        was = before if isinstance(before, Issue) else None
        call.execute_hooks(issues.trigger(item), issues.event(act, item, action, before=was), project=project)
    else:
        earlier = before if isinstance(before, MergeRequest) else None
        body = merge_requests.event(act, item, action, before=earlier)
        call.execute_hooks("merge_requests", body, project=project)
