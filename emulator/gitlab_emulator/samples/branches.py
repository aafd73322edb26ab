"""Push Hook and Tag Push Hook of branches and tags that come or go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import pushes
from gitlab_emulator.samples.pushes import NO_COMMIT

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene


def created(scene: Scene) -> Json:
    """A branch is pushed for the first time: `before` is all zeros, and there are no commits."""
    return {**pushes.pushed(scene), "before": NO_COMMIT, "commits": [], "total_commits_count": 0}


def deleted(scene: Scene) -> Json:
    """A branch is deleted: `after` is all zeros, and there is no checkout_sha."""
    return {**pushes.pushed(scene), **_gone(scene)}


def tag_deleted(scene: Scene) -> Json:
    """A tag is deleted: `after` is all zeros."""
    return {**pushes.tag_pushed(scene), **_gone(scene)}


def _gone(scene: Scene) -> Json:
    return {
        "before": scene.commit.sha,
        "after": NO_COMMIT,
        "checkout_sha": None,
        "commits": [],
        "total_commits_count": 0,
    }
