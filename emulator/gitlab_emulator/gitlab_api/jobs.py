"""Jobs: https://docs.gitlab.com/api/jobs/ .

Nobody runs them here, so the call by which runners report is there as well: `PUT /jobs/:id` with
`state` running, success or failed takes a job on, for anyone who may write to its project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import ci_transitions, lookup, params, shapes_ci
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, bad_parameter, forbidden, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import DEVELOPER, FINISHED

if TYPE_CHECKING:
    from gitlab_emulator.state import Job, Pipeline, Project

STATUSES = (
    *("created", "waiting_for_resource", "preparing", "pending", "running", "success", "failed"),
    *("canceled", "canceling", "skipped", "manual", "scheduled"),
)
MAX_TRACE_CHARS = 1_000_000


def list_all(call: Call) -> Answer:
    """GET …/jobs, newest first; `scope` names statuses."""
    found = [
        (pipeline, job)
        for pipeline in lookup.project(call).pipelines.values()
        for job in pipeline.jobs.values()
        if not job.retried
    ]
    return listed(call, found[::-1])


def listed(call: Call, found: list[tuple[Pipeline, Job]]) -> Answer:
    """A page of jobs; commit statuses that came from outside are none."""
    wanted = params.words(call.params, "scope")
    if wanted is not None and not set(wanted) <= set(STATUSES):
        raise bad_parameter("scope does not have a valid value")
    shown = [
        (pipeline, job)
        for pipeline, job in found
        if not job.external and (wanted is None or job.status in wanted)
    ]
    return paged(call, shown, lambda pair: _shape(call, *pair))


def get(call: Call) -> Answer:
    """GET …/jobs/:job_id."""
    return Answer(body=_shape(call, *lookup.job(call)))


def trace(call: Call) -> Answer:
    """GET …/jobs/:job_id/trace: the log, as text."""
    return Answer(text=lookup.job(call)[1].trace)


def retry(call: Call) -> Answer:
    """POST …/jobs/:job_id/retry: 201, a new job; 403 for one that has not ended."""
    project, (pipeline, job) = lookup.project(call, DEVELOPER), lookup.job(call)
    if job.status not in FINISHED or job.retried:
        raise forbidden("Job is not retryable")
    return Answer(
        status=201, body=_shape(call, pipeline, ci_transitions.retry_job(call, project, pipeline, job))
    )


def cancel(call: Call) -> Answer:
    """POST …/jobs/:job_id/cancel: 201."""
    project, (pipeline, job) = lookup.project(call, DEVELOPER), lookup.job(call)
    if job.status not in FINISHED:
        ci_transitions.set_status(call, project, pipeline, job, "canceled")
    return Answer(status=201, body=_shape(call, pipeline, job))


def play(call: Call) -> Answer:
    """POST …/jobs/:job_id/play: 200; 400 for one that waits for nobody."""
    project, (pipeline, job) = lookup.project(call, DEVELOPER), lookup.job(call)
    if job.status not in ("manual", "scheduled"):
        raise bad_parameter("400 Bad request - Unplayable Job")
    ci_transitions.set_status(call, project, pipeline, job, "pending")
    return Answer(body=_shape(call, pipeline, job))


def report(call: Call) -> Answer:
    """PUT /jobs/:id, as a runner does it: `state`, and `failure_reason` or `trace` if there is one."""
    params.require(call.params, "state")
    state = params.choice(call.params, "state", "running", "success", "failed")
    reason, text = params.text(call.params, "failure_reason"), params.text(call.params, "trace")
    project, pipeline, job = _anywhere(call)
    call.require(project, DEVELOPER)
    if job.status in FINISHED:
        raise forbidden("Job is not running")
    if text is not None:
        job.trace = text[-MAX_TRACE_CHARS:]
    if state is not None and state != job.status:
        failed = state == "failed"
        if state != "running" and job.status != "running":
            ci_transitions.set_status(call, project, pipeline, job, "running")
        ci_transitions.set_status(
            call, project, pipeline, job, state, reason=(reason or "script_failure") if failed else None
        )
    return Answer(body=_shape_in(call, project, pipeline, job))


def _anywhere(call: Call) -> tuple[Project, Pipeline, Job]:
    number = lookup.number(call, "id")
    for project in call.state.projects.values():
        for pipeline in project.pipelines.values():
            if number in pipeline.jobs and call.sees(project):
                return project, pipeline, pipeline.jobs[number]
    raise not_found()


def _shape(call: Call, pipeline: Pipeline, job: Job) -> Json:
    return _shape_in(call, lookup.project(call), pipeline, job)


def _shape_in(call: Call, project: Project, pipeline: Pipeline, job: Job) -> Json:
    return shapes_ci.job(call.state, project, pipeline, job, call.base_url)
