"""Milestone Hook: the action is at the top, whatever the documentation's text says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

MILESTONE_ID, MILESTONE_IID = 81, 2


def created(scene: Scene) -> Json:
    """The maintainer makes a milestone."""
    return _event(scene, "create", state="active")


def closed(scene: Scene) -> Json:
    """The maintainer closes the milestone."""
    return _event(scene, "close", state="closed")


def reopened(scene: Scene) -> Json:
    """The maintainer opens the milestone again."""
    return _event(scene, "reopen", state="active")


def deleted(scene: Scene) -> Json:
    """The maintainer deletes the milestone."""
    return _event(scene, "delete", state="active")


def _event(scene: Scene, action: str, *, state: str) -> Json:
    made_at = scene.now if action == "create" else scene.now - timedelta(days=9)
    return {
        "object_kind": "milestone",
        "event_type": "milestone",
        "project": parts.project_with_old_names(scene),
        "object_attributes": {
            "id": MILESTONE_ID,
            "iid": MILESTONE_IID,
            "title": "Before the summer",
            "description": "What must work when it gets hot.",
            "state": state,
            "created_at": parts.utc(made_at),
            "updated_at": parts.utc(scene.now),
            "due_date": f"{made_at + timedelta(days=30):%Y-%m-%d}",
            "start_date": f"{made_at:%Y-%m-%d}",
            "group_id": None,
            "project_id": scene.project.id,
        },
        "action": action,
    }
