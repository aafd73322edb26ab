"""Pipeline Hook, Job Hook."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.pushes import NO_COMMIT
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene, Setting
    from gitlab_emulator.state import Job, MergeRequest, Pipeline

RUNNER = {
    "id": 31,
    "description": "potting-shed",
    "runner_type": "instance_type",
    "active": True,
    "is_shared": True,
    "tags": ["shell"],
}
WAITED_S, RAN_S = 4, 38
IN_WORDS = {"success": "passed"}


def pipeline_event(setting: Setting, pipeline: Pipeline) -> Json:
    """The pipeline with its jobs as they stand."""
    commit = setting.project.repository.commits.get(pipeline.sha)
    jobs = pipeline.latest_jobs
    return {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": pipeline.id,
            "iid": pipeline.iid,
            "name": None,
            "ref": pipeline.ref,
            "tag": pipeline.tag,
            "sha": pipeline.sha,
            "before_sha": NO_COMMIT,
            "source": pipeline.source,
            "status": pipeline.status,
            "detailed_status": IN_WORDS.get(pipeline.status, pipeline.status),
            "stages": list(dict.fromkeys(job.stage for job in jobs)),
            "created_at": parts.utc(pipeline.created_at),
            "finished_at": parts.utc(pipeline.finished_at),
            "duration": None if pipeline.duration_s is None else round(pipeline.duration_s),
            "queued_duration": None if pipeline.queued_s is None else round(pipeline.queued_s),
            "protected_ref": pipeline.ref == setting.project.default_branch,
            "variables": pipeline.variables,
            "url": parts.url(setting, f"/-/pipelines/{pipeline.id}"),
        },
        "merge_request": _merge_request(setting, pipeline),
        "user": parts.user(setting.state.users[pipeline.user_id]),
        "project": parts.project(setting),
        "commit": None if commit is None else parts.commit(setting, commit),
        "builds": [_build(setting, job) for job in jobs],
    }


def job_event(setting: Setting, pipeline: Pipeline, job: Job) -> Json:
    """The job as it stands; a flat event, of the kind `build`."""
    project = setting.project
    commit = project.repository.commits.get(pipeline.sha)
    author = None if commit is None else setting.state.users[commit.author_id]
    iso = {
        f"build_{name}_iso": None if moment is None else parts.iso(moment)
        for name, moment in (
            ("created_at", job.created_at),
            ("started_at", job.started_at),
            ("finished_at", job.finished_at),
        )
    }
    return {
        "object_kind": "build",
        "ref": pipeline.ref,
        "tag": pipeline.tag,
        "before_sha": NO_COMMIT,
        "sha": pipeline.sha,
        "retries_count": sum(other.name == job.name for other in pipeline.jobs.values()) - 1,
        "build_id": job.id,
        "build_name": job.name,
        "build_stage": job.stage,
        "build_status": job.status,
        "build_created_at": parts.utc(job.created_at),
        "build_started_at": parts.utc(job.started_at),
        "build_finished_at": parts.utc(job.finished_at),
        **iso,
        "build_duration": job.duration_s,
        "build_queued_duration": job.queued_s,
        "build_allow_failure": job.allow_failure,
        "build_failure_reason": job.failure_reason or "unknown_failure",
        "pipeline_id": pipeline.id,
        "runner": None if job.started_at is None else RUNNER,
        "project_id": project.id,
        "project_name": f"{project.namespace_name} / {project.name}",
        "user": parts.user(setting.state.users[job.user_id]),
        "commit": {
            "id": pipeline.id,  # the pipeline's, not the commit's: so it is in GitLab
            "name": None,
            "sha": pipeline.sha,
            "message": None if commit is None else commit.message,
            "author_name": None if author is None else author.name,
            "author_email": "[REDACTED]",
            "author_url": None if author is None else f"{setting.base_url}/{author.username}",
            "status": pipeline.status,
            "duration": pipeline.duration_s,
            "started_at": parts.utc(pipeline.started_at),
            "finished_at": parts.utc(pipeline.finished_at),
        },
        "repository": parts.repository_with_clone_urls(setting),
        "project": parts.project(setting),
        "environment": None,
    }


def merge_request_of(setting: Setting, pipeline: Pipeline) -> MergeRequest | None:
    """The merge request whose source branch the pipeline ran for."""
    return next(
        (
            item
            for item in setting.project.merge_requests.values()
            if (item.source_branch, item.sha) == (pipeline.ref, pipeline.sha)
        ),
        None,
    )


def _merge_request(setting: Setting, pipeline: Pipeline) -> Json | None:
    item = merge_request_of(setting, pipeline)
    if item is None:
        return None
    return {
        "id": item.id,
        "iid": item.iid,
        "title": item.title,
        "source_branch": item.source_branch,
        "source_project_id": setting.project.id,
        "target_branch": item.target_branch,
        "target_project_id": setting.project.id,
        "state": item.state,
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable",
        "url": parts.url(setting, f"/-/merge_requests/{item.iid}"),
    }


def _build(setting: Setting, job: Job) -> Json:
    return {
        "id": job.id,
        "stage": job.stage,
        "name": job.name,
        "status": job.status,
        "created_at": parts.utc(job.created_at),
        "started_at": parts.utc(job.started_at),
        "finished_at": parts.utc(job.finished_at),
        "duration": job.duration_s,
        "queued_duration": job.queued_s,
        "failure_reason": job.failure_reason,
        "when": "manual" if job.status == "manual" else "on_success",
        "manual": job.status == "manual",
        "allow_failure": job.allow_failure,
        "user": parts.user(setting.state.users[job.user_id]),
        "runner": RUNNER if job.started_at and not job.external else None,
        "artifacts_file": {"filename": None, "size": None},
        "environment": None,
    }


def _pipeline(scene: Scene, status: str) -> Json:
    return pipeline_event(scene, _at(scene, status))


def _job(scene: Scene, status: str) -> Json:
    pipeline = _at(scene, status)
    return job_event(scene, pipeline, next(iter(pipeline.jobs.values())))


def _at(scene: Scene, status: str) -> Pipeline:
    """Return the scene's pipeline, all of whose jobs have just got this status."""
    finished_at = None if status in ("created", "running") else scene.now
    started_at = None if status == "created" else scene.now
    if finished_at:
        started_at = finished_at - timedelta(seconds=RAN_S)
    created_at = (started_at or scene.now) - timedelta(seconds=WAITED_S)
    jobs = {
        job.id: replace(
            job,
            status=status,
            failure_reason="script_failure" if status == "failed" else None,
            created_at=created_at,
            started_at=started_at,
            finished_at=finished_at,
        )
        for job in scene.pipeline.jobs.values()
    }
    return replace(scene.pipeline, created_at=created_at, updated_at=scene.now, jobs=jobs)


PASSED = "The pipeline of the merge request's branch has passed."
FAILED = "A job on the merge request's branch has failed; a flat event, of the kind `build`."
PIPELINES = [
    sample("pipeline", PASSED, _pipeline, "success"),
    sample(
        "pipeline-running",
        "The pipeline of the merge request's branch starts to run.",
        _pipeline,
        "running",
    ),
    sample(
        "pipeline-failed",
        "The pipeline of the merge request's branch has failed, and so has its job.",
        _pipeline,
        "failed",
    ),
]
JOBS = [
    sample("job", FAILED, _job, "failed"),
    sample(
        "job-created",
        "A job is created: it has neither started nor finished, and has no runner.",
        _job,
        "created",
    ),
    sample("job-success", "A job on the merge request's branch has passed.", _job, "success"),
]
BUILDS = [sample("build", FAILED, _job, "failed")]
SERVICE = [sample("service-pipeline", PASSED, _pipeline, "success")]
