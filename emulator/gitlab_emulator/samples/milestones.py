"""Milestone Hook: the action is at the top, whatever the documentation's text says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

MILESTONE_ID, MILESTONE_IID = 81, 2


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


SAMPLES = [
    sample("milestone-create", "The maintainer creates a milestone.", _event, "create", state="active"),
    sample("milestone-close", "The maintainer closes the milestone.", _event, "close", state="closed"),
    sample("milestone-reopen", "The maintainer reopens the milestone.", _event, "reopen", state="active"),
    sample("milestone-delete", "The maintainer deletes the milestone.", _event, "delete", state="active"),
]
