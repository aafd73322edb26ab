"""Pipelines: https://docs.gitlab.com/api/pipelines/ ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitlab_emulator.gitlab_api import ci_transitions, jobs, lookup, params, shapes_ci
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, bad_parameter, bad_value, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import DEVELOPER, FINISHED, OWNER

if TYPE_CHECKING:
    from gitlab_emulator.state import Pipeline

STATUSES = (
    *("created", "waiting_for_resource", "preparing", "pending", "running", "success", "failed"),
    *("canceled", "skipped", "manual", "scheduled"),
)
SCOPES = ("running", "pending", "finished", "branches", "tags")
MAX_VARIABLES = 100
MAX_VARIABLE_CHARS = 10_000


def list_all(call: Call) -> Answer:
    """GET …/pipelines, newest first; `ref`, `sha`, `status`, `source`, `scope`, `username` narrow."""
    project = lookup.project(call)
    status = params.choice(call.params, "status", *STATUSES)
    scope = params.choice(call.params, "scope", *SCOPES)
    exact = {name: params.text(call.params, name) for name in ("ref", "sha", "source")}
    username = params.text(call.params, "username")
    ascending = params.choice(call.params, "sort", "asc", "desc") == "asc"
    found = [
        one
        for one in project.pipelines.values()
        if all(value in (None, getattr(one, name)) for name, value in exact.items())
        and status in (None, one.status)
        and username in (None, call.state.users[one.user_id].username)
        and (scope not in ("running", "pending") or one.status == scope)
        and (scope != "finished" or one.status in FINISHED)
        and (scope not in ("branches", "tags") or one.tag == (scope == "tags"))
    ]
    ordered = sorted(found, key=lambda one: one.id, reverse=not ascending)
    return paged(call, ordered, lambda one: shapes_ci.pipeline(project, one, call.base_url))


def get(call: Call) -> Answer:
    """GET …/pipelines/:pipeline_id."""
    return Answer(body=_shape(call, lookup.pipeline(call)))


def get_latest(call: Call) -> Answer:
    """GET …/pipelines/latest: the newest of the branch `ref`."""
    project = lookup.project(call)
    ref = params.text(call.params, "ref") or project.default_branch
    found = [one for one in project.pipelines.values() if one.ref == ref]
    if not found:
        raise not_found("Pipeline")
    return Answer(body=_shape(call, found[-1]))


def create(call: Call) -> Answer:
    """POST …/pipeline: 201, with the jobs of the branch's configuration. Needs `ref`."""
    project = lookup.project(call, DEVELOPER)
    params.require(call.params, "ref")
    ref, variables = params.text(call.params, "ref") or "", _variables(call)
    repository = project.repository
    sha = repository.branches.get(ref) or repository.tags.get(ref)
    if sha is None:
        raise bad_value("base", "Reference not found")
    config = repository.files[sha].get(ci_transitions.CONFIG)
    if config is None:
        raise bad_value("base", "Missing CI config file")
    found = ci_transitions.jobs_in(config)
    if not found:
        raise bad_value(
            "base", "The resulting pipeline would have been empty. Review the rules configuration."
        )
    pipeline = ci_transitions.start_pipeline(call, project, ref=ref, sha=sha, source="api", jobs=found)
    pipeline.variables = variables
    return Answer(status=201, body=_shape(call, pipeline))


def create_for_merge_request(call: Call) -> Answer:
    """POST …/merge_requests/:merge_request_iid/pipelines: 201."""
    project, item = lookup.project(call, DEVELOPER), lookup.merge_request(call)
    config = project.repository.files.get(item.sha, {}).get(ci_transitions.CONFIG, "")
    found = ci_transitions.jobs_in(config)
    if not found:
        raise bad_value("base", "Missing CI config file")
    pipeline = ci_transitions.start_pipeline(
        call, project, ref=item.source_branch, sha=item.sha, source="merge_request_event", jobs=found
    )
    return Answer(status=201, body=_shape(call, pipeline))


def retry(call: Call) -> Answer:
    """POST …/pipelines/:pipeline_id/retry: 201; runs what failed or was canceled again."""
    project, pipeline = lookup.project(call, DEVELOPER), lookup.pipeline(call)
    for job in pipeline.latest_jobs:
        if job.status in ("failed", "canceled") and not job.external:
            ci_transitions.retry_job(call, project, pipeline, job)
    return Answer(status=201, body=_shape(call, pipeline))


def cancel(call: Call) -> Answer:
    """POST …/pipelines/:pipeline_id/cancel: 200; ends what has not ended."""
    project, pipeline = lookup.project(call, DEVELOPER), lookup.pipeline(call)
    for job in pipeline.latest_jobs:
        if job.status not in FINISHED:
            ci_transitions.set_status(call, project, pipeline, job, "canceled")
    return Answer(body=_shape(call, pipeline))


def delete(call: Call) -> Answer:
    """DELETE …/pipelines/:pipeline_id: 204, for owners."""
    project, pipeline = lookup.project(call, OWNER), lookup.pipeline(call)
    del project.pipelines[pipeline.id]
    return Answer(status=204)


def variables(call: Call) -> Answer:
    """GET …/pipelines/:pipeline_id/variables."""
    return paged(call, lookup.pipeline(call).variables, lambda one: {"variable_type": "env_var", **one})


def list_jobs(call: Call) -> Answer:
    """GET …/pipelines/:pipeline_id/jobs; retried ones only with `include_retried`."""
    pipeline = lookup.pipeline(call)
    retried = params.flag(call.params, "include_retried") or False
    found = [(pipeline, one) for one in pipeline.jobs.values() if retried or not one.retried]
    return jobs.listed(call, found)


def _variables(call: Call) -> list[dict[str, str]]:
    given: Any = call.params.get("variables") or []
    if not isinstance(given, list) or len(given) > MAX_VARIABLES:
        raise bad_parameter("variables is invalid")
    for one in given:
        texts = (one.get("key"), one.get("value")) if isinstance(one, dict) else (None,)
        if not all(isinstance(text, str) and len(text) <= MAX_VARIABLE_CHARS for text in texts):
            raise bad_parameter("variables is invalid")
    return [{"key": one["key"], "value": one["value"]} for one in given]


def _shape(call: Call, pipeline: Pipeline) -> Json:
    return shapes_ci.whole_pipeline(call.state, lookup.project(call), pipeline, call.base_url)
