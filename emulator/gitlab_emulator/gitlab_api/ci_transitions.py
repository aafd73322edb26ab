"""Status transitions of pipelines and jobs, with the webhooks that they trigger.

Nothing runs in the emulator: jobs go from state to state when a call says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitlab_emulator.samples import ci
from gitlab_emulator.state import FINISHED, Job, Pipeline

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call
    from gitlab_emulator.state import Project

CONFIG = ".gitlab-ci.yml"
JOB = re.compile(r"^([A-Za-z][\w /:-]*):[ \t]*$\n((?:^(?:[ \t].*)?$\n?)*)", re.MULTILINE)
STAGE = re.compile(r"^[ \t]+stage:[ \t]*['\"]?([\w-]+)", re.MULTILINE)
NO_JOBS = {
    *("default", "include", "stages", "variables", "workflow", "image", "services", "cache"),
    *("before_script", "after_script", "pages", "spec"),
}


def jobs_in(config: str) -> list[tuple[str, str]]:
    """Names and stages of the jobs in a configuration, as far as one can tell without running GitLab."""
    return [
        (name, found.group(1) if (found := STAGE.search(body)) else "test")
        for name, body in JOB.findall(config if config.endswith("\n") else f"{config}\n")
        if name not in NO_JOBS
    ]


def start_pipeline(
    call: Call, project: Project, *, ref: str, sha: str, source: str, jobs: list[tuple[str, str]]
) -> Pipeline:
    """A new pipeline whose jobs, by name and stage, wait for a runner."""
    pipeline = Pipeline(
        id=call.state.next_id("pipeline"),
        iid=max((one.iid for one in project.pipelines.values()), default=0) + 1,
        ref=ref,
        sha=sha,
        source=source,
        user_id=call.user.id,
        created_at=call.now,
        updated_at=call.now,
        tag=ref in project.repository.tags,
    )
    project.pipelines[pipeline.id] = pipeline
    made = [add_job(call, pipeline, name=name, stage=stage) for name, stage in jobs]
    for job in made:
        _tell_job(call, project, pipeline, job)
    for job in made:
        set_status(call, project, pipeline, job, "pending")
    return pipeline


def add_job(call: Call, pipeline: Pipeline, *, name: str, stage: str, external: bool = False) -> Job:
    """A new job in a pipeline; it takes the place of one of the same name, which then counts as retried."""
    for other in pipeline.jobs.values():
        if (other.name, other.external) == (name, external):
            other.retried = True
    job = Job(
        id=call.state.next_id("job"),
        name=name,
        stage=stage,
        user_id=call.user.id,
        created_at=call.now,
        external=external,
    )
    pipeline.jobs[job.id] = job
    return job


def set_status(
    call: Call, project: Project, pipeline: Pipeline, job: Job, status: str, *, reason: str | None = None
) -> None:
    """Take a job to another status; the hooks hear of it, and of the pipeline if that changes with it."""
    before, known = pipeline.status, job.status
    job.status, job.failure_reason = status, reason
    if status == "running":
        job.started_at = call.now
    elif status in FINISHED:
        job.started_at = job.started_at or (call.now if status in ("success", "failed") else None)
        job.finished_at = call.now
    pipeline.updated_at = call.now
    if known != status:
        _tell_job(call, project, pipeline, job)
    if pipeline.status != before:
        call.execute_hooks("pipeline", ci.pipeline_event(call.act(project), pipeline), project=project)


def retry_job(call: Call, project: Project, pipeline: Pipeline, old: Job) -> Job:
    """A new job like the old one, in its place."""
    job = add_job(call, pipeline, name=old.name, stage=old.stage)
    job.allow_failure = old.allow_failure
    _tell_job(call, project, pipeline, job)
    set_status(call, project, pipeline, job, "pending")
    return job


def _tell_job(call: Call, project: Project, pipeline: Pipeline, job: Job) -> None:
    """Job events are of jobs that runners run; a status set from outside is seen in the pipeline's only."""
    if not job.external:
        call.execute_hooks("job", ci.job_event(call.act(project), pipeline, job), project=project)
