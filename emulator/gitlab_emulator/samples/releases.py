"""Release Hook: flat, with the action at the top."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.pushes import TAG

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.samples.scene import Json, Scene


def created(scene: Scene) -> Json:
    """The maintainer releases the tag."""
    return _event(scene, "create", released_at=scene.now)


def updated(scene: Scene) -> Json:
    """The maintainer edits the release's description."""
    event = _event(scene, "update", released_at=scene.now - timedelta(days=1))
    return {**event, "description": "No more false alarms, from either tank."}


def deleted(scene: Scene) -> Json:
    """The maintainer deletes the release; the tag stays."""
    return _event(scene, "delete", released_at=scene.now - timedelta(days=1))


def _event(scene: Scene, action: str, *, released_at: datetime) -> Json:
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
        "description": "No more false alarms from the east tank.",
        "created_at": parts.utc(released_at),
        "released_at": parts.utc(released_at),
        "project": parts.project_with_old_names(scene),
        "url": parts.url(scene, f"/-/releases/{TAG}"),
        "assets": {"count": len(archives), "links": [], "sources": archives},
        "commit": parts.commit(scene, scene.commit),
    }
