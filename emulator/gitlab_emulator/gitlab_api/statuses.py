"""The statuses of a commit, set from outside: https://docs.gitlab.com/api/commits/#commit-status .

Each is a job in the stage `external` of a pipeline over that commit, as in GitLab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import ci_transitions, lookup, params, repository, shapes_ci
from gitlab_emulator.gitlab_api.call import Answer, Call, Refusal, bad_parameter, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import DEVELOPER

if TYPE_CHECKING:
    from gitlab_emulator.state import Commit, Job, Pipeline, Project

# What GitLab calls the way to each state, and from which states it leads there.
WAYS = {
    "pending": ("enqueue", ("created", "skipped", "manual", "scheduled")),
    "running": ("run", ("created", "pending")),
    "success": ("success", ("created", "pending", "running")),
    "failed": ("drop", ("created", "pending", "running")),
    "canceled": ("cancel", ("created", "pending", "running")),
    "skipped": ("skip", ("created", "pending")),
}
UNFINISHED = ("pending", "running")
MAX_CHARS = 255


def list_of_commit(call: Call) -> Answer:
    """GET …/repository/commits/:sha/statuses; `ref`, `stage`, `name`, `pipeline_id` narrow, `all` widens."""
    project = repository.project_to_read(call)
    commit = repository.commit_of(project, call.ids["sha"])
    ref, pipeline_id = params.text(call.params, "ref"), params.whole_number(call.params, "pipeline_id")
    stage, name = params.text(call.params, "stage"), params.text(call.params, "name")
    with_retried = params.flag(call.params, "all") or False
    found = [
        (pipeline, job)
        for pipeline in project.pipelines.values()
        if pipeline.sha == commit.sha and ref in (None, pipeline.ref) and pipeline_id in (None, pipeline.id)
        for job in pipeline.jobs.values()
        if stage in (None, job.stage) and name in (None, job.name) and (with_retried or not job.retried)
    ]
    return paged(call, found, lambda pair: shapes_ci.status(call.state, *pair, call.base_url))


def create(call: Call) -> Answer:
    """POST …/statuses/:sha: 201; 400 for a state that the status cannot go to. Needs `state`."""
    project = lookup.project(call, DEVELOPER)
    params.require(call.params, "state")
    state = params.choice(call.params, "state", *WAYS) or ""
    if not state:
        raise Refusal(400, {"message": "400 Bad request - State is required"})
    name = _short(call, "name") or _short(call, "context") or "default"
    target_url, description = _short(call, "target_url"), _short(call, "description")
    coverage = _coverage(call)
    commit = repository.commit_of(project, call.ids["sha"])
    pipeline = _pipeline(call, project, commit)
    job = _unfinished(call, pipeline, name)
    if job is not None:
        _check_way(job, state)
    else:
        job = ci_transitions.add_job(call, pipeline, name=name, stage="external", external=True)
    job.target_url = job.target_url if target_url is None else target_url
    job.description = job.description if description is None else description
    job.coverage = job.coverage if coverage is None else coverage
    reason = "api_failure" if state == "failed" else None
    ci_transitions.set_status(call, project, pipeline, job, state, reason=reason)
    return Answer(status=201, body=shapes_ci.status(call.state, pipeline, job, call.base_url))


def _pipeline(call: Call, project: Project, commit: Commit) -> Pipeline:
    """The newest over the commit that the parameters allow, or a new one for statuses from outside."""
    ref, number = params.text(call.params, "ref"), params.whole_number(call.params, "pipeline_id")
    found = [
        one
        for one in project.pipelines.values()
        if one.sha == commit.sha and ref in (None, one.ref) and number in (None, one.id)
    ]
    if found:
        return found[-1]
    if number is not None:
        raise not_found("Pipeline for pipeline_id, sha and ref")
    history = project.repository.history
    commits = project.repository.commits
    ref = ref or next(
        (name for name, sha in project.repository.branches.items() if commit in history(commits[sha])), None
    )
    if ref is None:
        raise not_found("References for commit")
    return ci_transitions.start_pipeline(call, project, ref=ref, sha=commit.sha, source="external", jobs=[])


def _unfinished(call: Call, pipeline: Pipeline, name: str) -> Job | None:
    """The account's own status of this name, if it can still change."""
    return next(
        (
            job
            for job in pipeline.latest_jobs
            if job.external and job.status in UNFINISHED and (job.name, job.user_id) == (name, call.user.id)
        ),
        None,
    )


def _check_way(job: Job, state: str) -> None:
    event, starts = WAYS[state]
    if job.status not in starts:
        why = f'Reason(s): Status cannot transition via "{event}"'
        text = f"Cannot transition status via :{event} from :{job.status} ({why})"
        raise Refusal(400, {"message": text})


def _short(call: Call, name: str) -> str | None:
    value = params.text(call.params, name)
    if value is not None and len(value) > MAX_CHARS:
        raise Refusal(400, {"message": {name: [f"is too long (maximum is {MAX_CHARS} characters)"]}})
    return value or None


def _coverage(call: Call) -> float | None:
    value = params.text(call.params, "coverage")
    try:
        return None if value is None else float(value[:20])
    except ValueError:
        raise bad_parameter("coverage is invalid") from None
