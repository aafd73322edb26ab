"""Push Hook, Tag Push Hook: no `object_attributes` in either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Act, Json, Scene
    from gitlab_emulator.state import Commit

NO_COMMIT = "0" * 40
TAG = "v1.4.0"
COMMITS_SHOWN = 20


def event(act: Act, *, ref: str, before: str, after: str, commits: list[Commit]) -> Json:
    """Somebody moves a branch or tag; `ref` is its full name, `commits` are those new to it, oldest first."""
    kind = "tag_push" if ref.startswith("refs/tags/") else "push"
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": before,
        "after": after,
        "ref": ref,
        "ref_protected": ref == f"refs/heads/{act.project.default_branch}",
        "checkout_sha": None if after == NO_COMMIT else after,
        "message": None,
        "user_id": act.user.id,
        "user_name": act.user.name,
        "user_username": act.user.username,
        "user_email": "",
        "user_avatar": None,
        "project_id": act.project.id,
        "project": parts.project_with_old_names(act),
        "repository": parts.repository_with_clone_urls(act),
        "commits": [
            {
                **parts.commit(act, commit),
                "added": commit.added,
                "modified": commit.modified,
                "removed": commit.removed,
            }
            for commit in commits[-COMMITS_SHOWN:]
        ],
        "total_commits_count": len(commits),
        "push_options": {},
    }


def pushed(scene: Scene) -> Json:
    """The maintainer pushes one commit to the merge request's source branch."""
    ref = f"refs/heads/{scene.merge_request.source_branch}"
    return _one_commit(scene, ref, before=scene.commit.parent_sha)


def tag_pushed(scene: Scene) -> Json:
    """The maintainer pushes a new tag."""
    return _one_commit(scene, f"refs/tags/{TAG}", before=NO_COMMIT)


def _one_commit(scene: Scene, ref: str, *, before: str) -> Json:
    act = scene.by(scene.maintainer)
    return event(act, ref=ref, before=before, after=scene.commit.sha, commits=[scene.commit])


def _branch_created(scene: Scene) -> Json:
    return {**pushed(scene), "before": NO_COMMIT, "commits": [], "total_commits_count": 0}


def _branch_deleted(scene: Scene) -> Json:
    return {**pushed(scene), **_gone(scene)}


def _tag_deleted(scene: Scene) -> Json:
    return {**tag_pushed(scene), **_gone(scene)}


def _gone(scene: Scene) -> Json:
    return {
        "before": scene.commit.sha,
        "after": NO_COMMIT,
        "checkout_sha": None,
        "commits": [],
        "total_commits_count": 0,
    }


PUSHED = "The maintainer pushes one commit to the merge request's source branch."
PUSHES = [
    sample("push", PUSHED, pushed),
    sample(
        "push-branch-create",
        "A branch is pushed for the first time: `before` is all zeros, and there are no commits.",
        _branch_created,
    ),
    sample(
        "push-branch-delete",
        "A branch is deleted: `after` is all zeros, and there is no checkout_sha.",
        _branch_deleted,
    ),
]
TAG_PUSHES = [
    sample("tag-push", "The maintainer pushes a new tag.", tag_pushed),
    sample("tag-push-delete", "A tag is deleted: `after` is all zeros.", _tag_deleted),
]
SERVICE = [sample("service-push", PUSHED, pushed)]
