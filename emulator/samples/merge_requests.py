"""Merge Request Hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.samples import parts

if TYPE_CHECKING:
    from emulator.samples.scene import Json, Scene

STATE_IDS = {"opened": 1, "closed": 2, "merged": 3, "locked": 4}


def attributes(scene: Scene) -> Json:
    """The merge request as events show it, without the action."""
    item = scene.merge_request
    draft = item.title.lower().startswith("draft:")
    return {
        "id": item.id,
        "iid": item.iid,
        "title": item.title,
        "description": item.description,
        "author_id": item.author_id,
        "assignee_id": item.assignee_ids[0] if item.assignee_ids else None,
        "assignee_ids": item.assignee_ids,
        "reviewer_ids": [],
        "source_branch": item.source_branch,
        "source_project_id": scene.project.id,
        "source": parts.project_with_old_names(scene),
        "target_branch": item.target_branch,
        "target_project_id": scene.project.id,
        "target": parts.project_with_old_names(scene),
        "last_commit": parts.commit(scene, scene.commit),
        "state": item.state,
        "state_id": STATE_IDS[item.state],
        "draft": draft,
        "work_in_progress": draft,
        "created_at": parts.utc(item.created_at),
        "updated_at": parts.utc(scene.now),
        "prepared_at": parts.utc(item.created_at),
        "actioned_at": parts.utc(scene.now),
        "merged_at": None,
        "updated_by_id": None,
        "last_edited_at": None,
        "last_edited_by_id": None,
        "merge_commit_sha": None,
        "merge_error": None,
        "merge_params": {"force_remove_source_branch": "1"},
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable",
        "merge_user_id": None,
        "merge_when_pipeline_succeeds": False,
        "blocking_discussions_resolved": True,
        "first_contribution": False,
        "head_pipeline_id": None,
        "milestone_id": None,
        "time_estimate": 0,
        "total_time_spent": 0,
        "time_change": 0,
        "human_time_estimate": None,
        "human_total_time_spent": None,
        "human_time_change": None,
        "labels": parts.labels(scene, item),
        "approval_rules": [],
        "system": False,
        "url": parts.url(scene, f"/-/merge_requests/{item.iid}"),
    }


def _event(scene: Scene, action: str, changes: Json, **changed: object) -> Json:
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": parts.user(scene.reporter if action == "approved" else scene.maintainer),
        "project": parts.project_with_old_names(scene),
        "object_attributes": {**attributes(scene), **changed, "action": action},
        "labels": parts.labels(scene, scene.merge_request),
        "changes": changes,
        "repository": parts.repository(scene),
        "assignees": parts.people(scene, scene.merge_request.assignee_ids),
        "reviewers": [],
    }


def opened(scene: Scene) -> Json:
    """The maintainer opens it; GitLab is still finding out whether it can be merged."""
    status: Json = {"merge_status": "checking", "detailed_merge_status": "checking"}
    return _event(scene, "open", {}, state="opened", state_id=1, **status)


def updated(scene: Scene) -> Json:
    """A commit is pushed to the source branch: an update with `oldrev`."""
    changes = {
        "updated_at": {
            "previous": parts.utc(scene.merge_request.updated_at),
            "current": parts.utc(scene.now),
        }
    }
    return _event(scene, "update", changes, oldrev=scene.commit.parent_sha)


def approved(scene: Scene) -> Json:
    """The reporter approves, and that suffices."""
    return _event(scene, "approved", {})


def merged(scene: Scene) -> Json:
    """The maintainer merges it."""
    changes = {
        "state_id": {"previous": 1, "current": 3},
        "updated_at": {
            "previous": parts.utc(scene.merge_request.updated_at),
            "current": parts.utc(scene.now),
        },
    }
    state: Json = {
        "state": "merged",
        "state_id": 3,
        "merged_at": parts.utc(scene.now),
        "merge_commit_sha": scene.commit.sha,
        "merge_user_id": scene.maintainer.id,
        "detailed_merge_status": "not_open",
    }
    return _event(scene, "merge", changes, **state)
