"""Issue Hook, Confidential Issue Hook."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from emulator.samples import parts

if TYPE_CHECKING:
    from emulator.samples.scene import Json, Scene

STATE_IDS = {"opened": 1, "closed": 2}


def attributes(scene: Scene) -> Json:
    """The issue as events show it, without the action."""
    issue = scene.issue
    return {
        "id": issue.id,
        "iid": issue.iid,
        "title": issue.title,
        "description": issue.description,
        "author_id": issue.author_id,
        "assignee_id": issue.assignee_ids[0] if issue.assignee_ids else None,
        "assignee_ids": issue.assignee_ids,
        "project_id": scene.project.id,
        "state": issue.state,
        "state_id": STATE_IDS[issue.state],
        "confidential": issue.confidential,
        "created_at": parts.utc(issue.created_at),
        "updated_at": parts.utc(scene.now),
        "closed_at": parts.utc(issue.closed_at),
        "updated_by_id": None,
        "last_edited_at": None,
        "last_edited_by_id": None,
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
        "labels": parts.labels(scene, issue),
        "url": parts.url(scene, f"/-/issues/{issue.iid}"),
    }


def _event(scene: Scene, action: str, changes: Json, **changed: object) -> Json:
    by_reporter = action in ("open", "reopen")
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": parts.user(scene.reporter if by_reporter else scene.maintainer),
        "project": parts.project_with_old_names(scene),
        "object_attributes": {**attributes(scene), **changed, "action": action},
        "labels": parts.labels(scene, scene.issue),
        "changes": changes,
        "repository": parts.repository(scene),
        "assignees": parts.people(scene, scene.issue.assignee_ids),
    }


def _between(scene: Scene, before: str, after: str) -> Json:
    """The changes of an issue that goes from one state to the other."""
    closed_at = parts.utc(scene.now - timedelta(minutes=5)) if before == "closed" else None
    return {
        "state_id": {"previous": STATE_IDS[before], "current": STATE_IDS[after]},
        "closed_at": {"previous": closed_at, "current": parts.utc(scene.now) if after == "closed" else None},
    }


def opened(scene: Scene) -> Json:
    """The reporter opens the issue."""
    changes = {
        name: {"previous": None, "current": value}
        for name, value in attributes(scene).items()
        if name in ("id", "iid", "title", "description", "author_id", "project_id", "created_at")
    }
    started = {"created_at": parts.utc(scene.issue.created_at), "state": "opened", "state_id": 1}
    return _event(scene, "open", changes, **started, closed_at=None)


def opened_confidentially(scene: Scene) -> Json:
    """The reporter opens it for members only: another header, another event_type."""
    event = opened(scene)
    event["event_type"] = "confidential_issue"
    event["object_attributes"]["confidential"] = True
    return event


def updated(scene: Scene) -> Json:
    """The maintainer edits the title."""
    changes = {
        "title": {"previous": "Lamp always on", "current": scene.issue.title},
        "updated_at": {"previous": parts.utc(scene.issue.updated_at), "current": parts.utc(scene.now)},
        "last_edited_at": {"previous": None, "current": parts.utc(scene.now)},
    }
    return _event(scene, "update", changes, last_edited_at=parts.utc(scene.now))


def closed(scene: Scene) -> Json:
    """The maintainer closes it."""
    state: Json = {"state": "closed", "state_id": 2, "closed_at": parts.utc(scene.now)}
    return _event(scene, "close", _between(scene, "opened", "closed"), **state)


def reopened(scene: Scene) -> Json:
    """The reporter opens it again."""
    state: Json = {"state": "opened", "state_id": 1, "closed_at": None}
    return _event(scene, "reopen", _between(scene, "closed", "opened"), **state)
