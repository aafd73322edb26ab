"""Release Hook: flat, with the action at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.samples import parts
from emulator.samples.pushes import TAG

if TYPE_CHECKING:
    from emulator.samples.scene import Json, Scene


def created(scene: Scene) -> Json:
    """The maintainer releases the tag."""
    archives = [
        {"format": ending, "url": parts.url(scene, f"/-/archive/{TAG}/{scene.project.path}-{TAG}.{ending}")}
        for ending in ("zip", "tar.gz")
    ]
    return {
        "id": 1,
        "object_kind": "release",
        "action": "create",
        "name": "Steadier floats",
        "tag": TAG,
        "description": "No more false alarms from the east tank.",
        "created_at": parts.utc(scene.now),
        "released_at": parts.utc(scene.now),
        "project": parts.project_with_old_names(scene),
        "url": parts.url(scene, f"/-/releases/{TAG}"),
        "assets": {"count": len(archives), "links": [], "sources": archives},
        "commit": parts.commit(scene, scene.commit),
    }
