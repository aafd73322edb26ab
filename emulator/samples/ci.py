"""Pipeline Hook, Job Hook. The emulator keeps no pipelines: their ids are the samples' own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from emulator.samples import parts
from emulator.samples.pushes import NO_COMMIT

if TYPE_CHECKING:
    from emulator.samples.scene import Json, Scene

PIPELINE_ID, JOB_ID, RUNNER_ID = 9001, 9101, 31
WAITED_S, RAN_S = 4, 38


def pipeline_succeeded(scene: Scene) -> Json:
    """The pipeline of the merge request's branch has passed."""
    item = scene.merge_request
    created_at = scene.now - timedelta(seconds=WAITED_S + RAN_S)
    return {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": PIPELINE_ID,
            "iid": 1,
            "name": None,
            "ref": item.source_branch,
            "tag": False,
            "sha": scene.commit.sha,
            "before_sha": NO_COMMIT,
            "source": "push",
            "status": "success",
            "detailed_status": "passed",
            "stages": ["test"],
            "created_at": parts.utc(created_at),
            "finished_at": parts.utc(scene.now),
            "duration": RAN_S,
            "queued_duration": WAITED_S,
            "protected_ref": False,
            "variables": [],
            "url": parts.url(scene, f"/-/pipelines/{PIPELINE_ID}"),
        },
        "merge_request": {
            "id": item.id,
            "iid": item.iid,
            "title": item.title,
            "source_branch": item.source_branch,
            "source_project_id": scene.project.id,
            "target_branch": item.target_branch,
            "target_project_id": scene.project.id,
            "state": item.state,
            "merge_status": "can_be_merged",
            "detailed_merge_status": "mergeable",
            "url": parts.url(scene, f"/-/merge_requests/{item.iid}"),
        },
        "user": parts.user(scene.maintainer),
        "project": parts.project(scene),
        "commit": parts.commit(scene, scene.commit),
        "builds": [
            {
                "id": JOB_ID,
                "stage": "test",
                "name": "unit",
                "status": "success",
                "created_at": parts.utc(created_at),
                "started_at": parts.utc(created_at + timedelta(seconds=WAITED_S)),
                "finished_at": parts.utc(scene.now),
                "duration": float(RAN_S),
                "queued_duration": float(WAITED_S),
                "failure_reason": None,
                "when": "on_success",
                "manual": False,
                "allow_failure": False,
                "user": parts.user(scene.maintainer),
                "runner": _runner(),
                "artifacts_file": {"filename": None, "size": None},
                "environment": None,
            }
        ],
    }


def job_failed(scene: Scene) -> Json:
    """A job on the merge request's branch has failed; a flat event, of the kind `build`."""
    author = scene.state.users[scene.commit.author_id]
    created_at = scene.now - timedelta(seconds=WAITED_S + RAN_S)
    started_at = created_at + timedelta(seconds=WAITED_S)
    return {
        "object_kind": "build",
        "ref": scene.merge_request.source_branch,
        "tag": False,
        "before_sha": NO_COMMIT,
        "sha": scene.commit.sha,
        "retries_count": 0,
        "build_id": JOB_ID,
        "build_name": "unit",
        "build_stage": "test",
        "build_status": "failed",
        "build_created_at": parts.utc(created_at),
        "build_started_at": parts.utc(started_at),
        "build_finished_at": parts.utc(scene.now),
        "build_created_at_iso": parts.iso(created_at),
        "build_started_at_iso": parts.iso(started_at),
        "build_finished_at_iso": parts.iso(scene.now),
        "build_duration": float(RAN_S),
        "build_queued_duration": float(WAITED_S),
        "build_allow_failure": False,
        "build_failure_reason": "script_failure",
        "pipeline_id": PIPELINE_ID,
        "runner": _runner(),
        "project_id": scene.project.id,
        "project_name": f"{scene.project.namespace_name} / {scene.project.name}",
        "user": parts.user(scene.maintainer),
        "commit": {
            "id": PIPELINE_ID,  # the pipeline's, not the commit's: so it is in GitLab
            "name": None,
            "sha": scene.commit.sha,
            "message": scene.commit.message,
            "author_name": author.name,
            "author_email": "[REDACTED]",
            "author_url": f"{scene.base_url}/{author.username}",
            "status": "running",
            "duration": None,
            "started_at": parts.utc(started_at),
            "finished_at": None,
        },
        "repository": parts.repository_with_clone_urls(scene),
        "project": parts.project(scene),
        "environment": None,
    }


def _runner() -> Json:
    return {
        "id": RUNNER_ID,
        "description": "potting-shed",
        "runner_type": "instance_type",
        "active": True,
        "is_shared": True,
        "tags": ["shell"],
    }
