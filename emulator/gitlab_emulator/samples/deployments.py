"""Deployment Hook: flat, with the status at the top. The emulator keeps none: the ids are our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

DEPLOYMENT_ID = 9201


def _event(scene: Scene, status: str) -> Json:
    commit, job_id = parts.commit(scene, scene.commit), min(scene.pipeline.jobs)
    return {
        "object_kind": "deployment",
        "status": status,
        "status_changed_at": f"{scene.now:%Y-%m-%d %H:%M:%S} +0000",
        "deployment_id": DEPLOYMENT_ID,
        "deployable_id": job_id,
        "deployable_url": parts.url(scene, f"/-/jobs/{job_id}"),
        "environment": "greenhouse",
        "environment_tier": "production",
        "environment_slug": "greenhouse",
        "environment_external_url": "http://beds.greenhouse.example",
        "project": parts.project_with_old_names(scene),
        "short_sha": scene.commit.sha[:8],
        "user": parts.user(scene.maintainer),
        "user_url": f"{scene.base_url}/{scene.maintainer.username}",
        "commit_url": commit["url"],
        "commit_title": commit["title"],
        "ref": scene.merge_request.source_branch,
    }


SAMPLES = [
    sample("deployment", "A deployment to the greenhouse succeeds.", _event, "success"),
    sample("deployment-running", "A deployment to the greenhouse starts.", _event, "running"),
    sample("deployment-failed", "A deployment to the greenhouse fails.", _event, "failed"),
    sample("deployment-canceled", "A deployment to the greenhouse is canceled.", _event, "canceled"),
]
