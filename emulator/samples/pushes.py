"""Push Hook, Tag Push Hook: no `object_attributes` in either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.samples import parts

if TYPE_CHECKING:
    from emulator.samples.scene import Json, Scene

NO_COMMIT = "0" * 40
TAG = "v1.4.0"


def pushed(scene: Scene) -> Json:
    """The maintainer pushes one commit to the merge request's source branch."""
    ref = f"refs/heads/{scene.merge_request.source_branch}"
    return _event(scene, "push", ref, before=scene.commit.parent_sha)


def tag_pushed(scene: Scene) -> Json:
    """The maintainer pushes a new tag."""
    return _event(scene, "tag_push", f"refs/tags/{TAG}", before=NO_COMMIT)


def _event(scene: Scene, kind: str, ref: str, *, before: str) -> Json:
    commit = {
        **parts.commit(scene, scene.commit),
        "added": scene.commit.added,
        "modified": scene.commit.modified,
        "removed": [],
    }
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": before,
        "after": scene.commit.sha,
        "ref": ref,
        "ref_protected": False,
        "checkout_sha": scene.commit.sha,
        "message": None,
        "user_id": scene.maintainer.id,
        "user_name": scene.maintainer.name,
        "user_username": scene.maintainer.username,
        "user_email": "",
        "user_avatar": None,
        "project_id": scene.project.id,
        "project": parts.project_with_old_names(scene),
        "repository": parts.repository_with_clone_urls(scene),
        "commits": [commit],
        "total_commits_count": 1,
        "push_options": {},
    }
