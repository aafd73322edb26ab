"""The JSON that GitLab answers with for pipelines, jobs and commit statuses.

https://docs.gitlab.com/api/pipelines/ , jobs, commits (commit status).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import shapes, shapes_code

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Json
    from gitlab_emulator.state import Job, Pipeline, Project, State

NO_COMMIT = "0" * 40


def pipeline(project: Project, item: Pipeline, base_url: str) -> Json:
    """A pipeline in a list."""
    return {
        "id": item.id,
        "iid": item.iid,
        "project_id": project.id,
        "sha": item.sha,
        "ref": item.ref,
        "status": item.status,
        "source": item.source,
        "created_at": shapes.timestamp(item.created_at),
        "updated_at": shapes.timestamp(item.updated_at),
        "web_url": f"{shapes.web_url(base_url, project)}/-/pipelines/{item.id}",
        "name": None,
    }


def whole_pipeline(state: State, project: Project, item: Pipeline, base_url: str) -> Json:
    """A pipeline by itself."""
    url = shapes.web_url(base_url, project)
    return {
        **pipeline(project, item, base_url),
        "before_sha": NO_COMMIT,
        "tag": item.tag,
        "yaml_errors": None,
        "user": shapes.user(state.users[item.user_id], base_url),
        "started_at": shapes.timestamp(item.started_at),
        "finished_at": shapes.timestamp(item.finished_at),
        "committed_at": None,
        "duration": None if item.duration_s is None else round(item.duration_s),
        "queued_duration": item.queued_s,
        "coverage": None,
        "archived": False,
        "detailed_status": {
            "icon": f"status_{item.status}",
            "text": "passed" if item.status == "success" else item.status,
            "label": "passed" if item.status == "success" else item.status,
            "group": item.status,
            "tooltip": "passed" if item.status == "success" else item.status,
            "has_details": True,
            "details_path": f"{url.removeprefix(base_url)}/-/pipelines/{item.id}",
            "illustration": None,
            "favicon": None,
        },
    }


def job(state: State, project: Project, of: Pipeline, item: Job, base_url: str) -> Json:
    """A job with its pipeline and commit."""
    url, commit = shapes.web_url(base_url, project), project.repository.commits.get(of.sha)
    return {
        "id": item.id,
        "status": item.status,
        "stage": item.stage,
        "name": item.name,
        "ref": of.ref,
        "tag": of.tag,
        "coverage": item.coverage,
        "allow_failure": item.allow_failure,
        "created_at": shapes.timestamp(item.created_at),
        "started_at": shapes.timestamp(item.started_at),
        "finished_at": shapes.timestamp(item.finished_at),
        "erased_at": None,
        "duration": item.duration_s,
        "queued_duration": item.queued_s,
        "archived": False,
        "user": shapes.user(state.users[item.user_id], base_url),
        "commit": None if commit is None else shapes_code.commit(state, commit, url),
        "pipeline": {
            name: value for name, value in pipeline(project, of, base_url).items() if name != "name"
        },
        "failure_reason": item.failure_reason,
        "web_url": f"{url}/-/jobs/{item.id}",
        "project": {"ci_job_token_scope_enabled": False},
        "artifacts": [],
        "runner": None,
        "artifacts_expire_at": None,
        "tag_list": [],
    }


def status(state: State, of: Pipeline, item: Job, base_url: str) -> Json:
    """A job as the status of a commit."""
    return {
        "id": item.id,
        "sha": of.sha,
        "ref": of.ref,
        "status": item.status,
        "name": item.name,
        "target_url": item.target_url,
        "description": item.description,
        "created_at": shapes.timestamp(item.created_at),
        "started_at": shapes.timestamp(item.started_at),
        "finished_at": shapes.timestamp(item.finished_at),
        "allow_failure": item.allow_failure,
        "coverage": item.coverage,
        "pipeline_id": of.id,
        "author": shapes.user(state.users[item.user_id], base_url),
    }
