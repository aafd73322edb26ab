"""Issue Hook, Confidential Issue Hook."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Act, Json, Scene, Setting
    from gitlab_emulator.state import Issue

STATE_IDS = {"opened": 1, "closed": 2}
AT_OPENING = ("id", "iid", "title", "description", "author_id", "project_id", "created_at", "updated_at")


def attributes(setting: Setting, issue: Issue) -> Json:
    """The issue as events show it, without the action."""
    return {
        "id": issue.id,
        "iid": issue.iid,
        "title": issue.title,
        "description": issue.description,
        "author_id": issue.author_id,
        "assignee_id": issue.assignee_ids[0] if issue.assignee_ids else None,
        "assignee_ids": issue.assignee_ids,
        "project_id": setting.project.id,
        "state": issue.state,
        "state_id": STATE_IDS[issue.state],
        "confidential": issue.confidential,
        "created_at": parts.utc(issue.created_at),
        "updated_at": parts.utc(issue.updated_at),
        "closed_at": parts.utc(issue.closed_at),
        "updated_by_id": issue.updated_by_id,
        "last_edited_at": parts.utc(issue.last_edited_at),
        "last_edited_by_id": issue.last_edited_by_id,
        "discussion_locked": None,
        "due_date": None,
        "milestone_id": None,
        "moved_to_id": None,
        "duplicated_to_id": None,
        "relative_position": None,
        "time_estimate": 0,
        "total_time_spent": 0,
        "time_change": 0,
        "human_time_estimate": None,
        "human_total_time_spent": None,
        "human_time_change": None,
        "weight": None,
        "health_status": None,
        "type": "Issue",
        "severity": "unknown",
        "customer_relations_contacts": [],
        "labels": parts.labels(setting, issue.labels),
        "url": parts.url(setting, f"/-/issues/{issue.iid}"),
    }


def changes(setting: Setting, before: Issue, after: Issue) -> Json:
    """What an edit changed, as the event shows it; empty when nothing did."""
    found = parts.changed(_tracked(setting, before), _tracked(setting, after))
    return {} if found.keys() <= {"updated_at", "updated_by_id"} else found


def event(act: Act, issue: Issue, action: str, *, before: Issue | None = None) -> Json:
    """The act upon the issue, as it is now and was before; for an opening there is no before."""
    now = attributes(act, issue)
    return {
        "object_kind": "issue",
        "event_type": "confidential_issue" if issue.confidential else "issue",
        "user": parts.user(act.user),
        "project": parts.project_with_old_names(act),
        "object_attributes": {**now, "action": action},
        "labels": now["labels"],
        "changes": parts.changed({}, {name: now[name] for name in AT_OPENING})
        if before is None
        else changes(act, before, issue),
        "repository": parts.repository(act),
        "assignees": parts.people(act, issue.assignee_ids),
    }


def trigger(issue: Issue) -> str:
    """The hooks' switch for events of this issue."""
    return "confidential_issues" if issue.confidential else "issues"


def _tracked(setting: Setting, issue: Issue) -> Json:
    names = ("title", "description", "state_id", "confidential", "closed_at")
    edits = ("last_edited_at", "last_edited_by_id", "updated_at", "updated_by_id")
    known = attributes(setting, issue)
    return {
        **{name: known[name] for name in (*names, *edits)},
        "assignees": parts.people(setting, issue.assignee_ids),
        "labels": known["labels"],
    }


def opened(scene: Scene) -> Json:
    """Return the event of its opening."""
    new = replace(scene.issue, state="opened", closed_at=None, updated_at=scene.issue.created_at)
    return event(scene.by(scene.reporter), new, "open")


def updated(scene: Scene) -> Json:
    """Return the event of an edited title."""
    who, now = scene.maintainer, scene.now
    before = replace(scene.issue, title="Lamp always on")
    after = replace(scene.issue, updated_at=now, last_edited_at=now, last_edited_by_id=who.id)
    return event(scene.by(who), after, "update", before=before)


def closed(scene: Scene) -> Json:
    """Return the event of its closing."""
    before = replace(scene.issue, state="opened", closed_at=None)
    after = replace(scene.issue, state="closed", closed_at=scene.now, updated_at=scene.now)
    return event(scene.by(scene.maintainer), after, "close", before=before)


def _reopened(scene: Scene) -> Json:
    before = replace(scene.issue, state="closed", closed_at=scene.now - timedelta(minutes=5))
    after = replace(scene.issue, state="opened", closed_at=None, updated_at=scene.now)
    return event(scene.by(scene.reporter), after, "reopen", before=before)


def _opened_confidentially(scene: Scene) -> Json:
    return event(scene.by(scene.reporter), replace(scene.issue, confidential=True), "open")


def _by_template(scene: Scene) -> Json:
    return {
        "text": f"{scene.reporter.name} opened: {scene.issue.title}",
        "link": attributes(scene, scene.issue)["url"],
    }


ISSUES = [
    sample("issue-open", "The reporter opens the issue.", opened),
    sample("issue-update", "The maintainer edits the title.", updated),
    sample("issue-close", "The maintainer closes it.", closed),
    sample("issue-reopen", "The reporter reopens it.", _reopened),
]
CONFIDENTIAL = [
    sample(
        "confidential-issue-open",
        "The reporter opens it for members only: another header, another event_type.",
        _opened_confidentially,
    ),
]
# https://docs.gitlab.com/user/project/integrations/webhooks/ , "Custom webhook template"
CUSTOM_TEMPLATE = [
    sample(
        "custom-template",
        "A custom template made of the opened issue's fields: no object_kind, no project.",
        _by_template,
    ),
]
