"""Release Hook: flat, with the action at the top."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.pushes import TAG
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene
DESCRIPTIONS = {"update": "No more false alarms, from either tank."}


def _event(scene: Scene, action: str) -> Json:
    released_at = scene.now if action == "create" else scene.now - timedelta(days=1)
    archives = [
        {"format": ending, "url": parts.url(scene, f"/-/archive/{TAG}/{scene.project.path}-{TAG}.{ending}")}
        for ending in ("zip", "tar.gz")
    ]
    return {
        "id": 1,
        "object_kind": "release",
        "action": action,
        "name": "Steadier floats",
        "tag": TAG,
        "description": DESCRIPTIONS.get(action, "No more false alarms from the east tank."),
        "created_at": parts.utc(released_at),
        "released_at": parts.utc(released_at),
        "project": parts.project_with_old_names(scene),
        "url": parts.url(scene, f"/-/releases/{TAG}"),
        "assets": {"count": len(archives), "links": [], "sources": archives},
        "commit": parts.commit(scene, scene.commit),
    }


SAMPLES = [
    sample("release", "The maintainer releases the tag.", _event, "create"),
    sample("release-update", "The maintainer edits the release's description.", _event, "update"),
    sample("release-delete", "The maintainer deletes the release; the tag stays.", _event, "delete"),
]
