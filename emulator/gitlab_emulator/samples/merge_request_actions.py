"""Merge Request Hook: the actions besides open, update, approved and merge, and updates of other kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.samples import merge_requests, parts

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene
    from gitlab_emulator.state import MergeRequest


def closed(scene: Scene) -> Json:
    """The maintainer closes it without merging."""
    before = replace(scene.merge_request, state="opened")
    after = replace(before, state="closed", updated_at=scene.now, closed_at=scene.now)
    return _by_maintainer(scene, "close", before, after)


def reopened(scene: Scene) -> Json:
    """The maintainer opens it again."""
    before = replace(scene.merge_request, state="closed")
    after = replace(before, state="opened", updated_at=scene.now)
    return _by_maintainer(scene, "reopen", before, after)


def approval(scene: Scene) -> Json:
    """The reporter approves, but more approvals are needed; `approved` comes with the last of them."""
    return _of_reporter(scene, "approval", approved=True)


def unapproval(scene: Scene) -> Json:
    """The reporter takes back an approval, and it was not fully approved before."""
    return _of_reporter(scene, "unapproval", approved=False)


def unapproved(scene: Scene) -> Json:
    """The reporter takes back an approval that it needs."""
    return _of_reporter(scene, "unapproved", approved=False)


def reset(scene: Scene) -> Json:
    """GitLab takes back the approvals after a push: system is true, system_action says why."""
    event = _of_reporter(scene, "unapproval", approved=False)
    event["object_attributes"].update(system=True, system_action="approvals_reset_on_push")
    return {**event, "user": parts.user(scene.maintainer)}


def made_ready(scene: Scene) -> Json:
    """The maintainer marks a draft as ready: an update without `oldrev`."""
    before = replace(scene.merge_request, title=f"Draft: {scene.merge_request.title}")
    after = replace(scene.merge_request, updated_at=scene.now)
    return _by_maintainer(scene, "update", before, after)


def review_requested(scene: Scene) -> Json:
    """The maintainer asks the reporter for a review."""
    before = scene.merge_request
    after = replace(before, reviewer_ids=[scene.reporter.id], updated_at=scene.now)
    return _by_maintainer(scene, "update", before, after)


def _by_maintainer(scene: Scene, action: str, before: MergeRequest, after: MergeRequest) -> Json:
    return merge_requests.event(scene.by(scene.maintainer), after, action, before=before)


def _of_reporter(scene: Scene, action: str, *, approved: bool) -> Json:
    ids = [scene.reporter.id] if approved else []
    after = replace(scene.merge_request, updated_at=scene.now, approved_by_ids=ids)
    return merge_requests.event(scene.by(scene.reporter), after, action)
