"""Pipeline Hook and Job Hook: the endings besides those in `ci`, and their beginnings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import ci

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.samples.scene import Json, Scene
    from gitlab_emulator.state import Pipeline

RUNS = timedelta(seconds=38)


def pipeline_started(scene: Scene) -> Json:
    """The pipeline of the merge request's branch starts to run."""
    return ci.pipeline_event(scene, _pipeline(scene, "running", began_at=scene.now))


def pipeline_failed(scene: Scene) -> Json:
    """The pipeline of the merge request's branch has failed, and so has its job."""
    return ci.pipeline_event(scene, _ended(scene, "failed"))


def job_succeeded(scene: Scene) -> Json:
    """A job on the merge request's branch has passed."""
    return _job(scene, _ended(scene, "success"))


def job_created(scene: Scene) -> Json:
    """A job is created: it has neither begun nor ended, and has no runner."""
    return _job(scene, _pipeline(scene, "created", began_at=None))


def _job(scene: Scene, pipeline: Pipeline) -> Json:
    return ci.job_event(scene, pipeline, next(iter(pipeline.jobs.values())))


def _ended(scene: Scene, status: str) -> Pipeline:
    return _pipeline(scene, status, began_at=scene.now - RUNS, ended_at=scene.now)


def _pipeline(
    scene: Scene, status: str, *, began_at: datetime | None, ended_at: datetime | None = None
) -> Pipeline:
    """The scene's pipeline with its jobs in this state."""
    made_at = (began_at or scene.now) - timedelta(seconds=4)
    jobs = {
        job.id: replace(
            job,
            status=status,
            failure_reason="script_failure" if status == "failed" else None,
            created_at=made_at,
            started_at=began_at,
            finished_at=ended_at,
        )
        for job in scene.pipeline.jobs.values()
    }
    return replace(scene.pipeline, created_at=made_at, updated_at=scene.now, jobs=jobs)
