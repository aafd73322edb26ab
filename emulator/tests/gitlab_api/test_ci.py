"""Pipelines, jobs and commit statuses through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.gitlab_api.ci_transitions import jobs_in

if TYPE_CHECKING:
    import httpx

PROJECT = "/api/v4/projects/1"
STATUSES = f"{PROJECT}/statuses/main"


async def test_a_pipeline_runs_the_jobs_of_its_branch(web: httpx.AsyncClient) -> None:
    """Nothing runs by itself: they wait until a runner reports."""
    variables = [{"key": "TANK", "value": "east"}]
    created = await web.post(f"{PROJECT}/pipeline", json={"ref": "main", "variables": variables})
    pipeline = created.json()
    assert (created.status_code, pipeline["status"], pipeline["source"]) == (201, "pending", "api")
    own = f"{PROJECT}/pipelines/{pipeline['id']}"
    assert (await web.get(f"{own}/variables")).json() == [{"variable_type": "env_var", **variables[0]}]
    (job,) = (await web.get(f"{own}/jobs")).json()
    assert (job["name"], job["stage"], job["status"]) == ("unit", "test", "pending")
    running = await web.put(f"/api/v4/jobs/{job['id']}", json={"state": "running"})
    assert (running.json()["status"], (await web.get(own)).json()["status"]) == ("running", "running")
    await web.put(f"/api/v4/jobs/{job['id']}", json={"state": "success", "trace": "all well\n"})
    done = (await web.get(own)).json()
    assert (done["status"], done["finished_at"]) == ("success", "2026-11-20T12:30:15.250Z")
    assert (await web.get(f"{PROJECT}/jobs/{job['id']}/trace")).text == "all well\n"
    assert (await web.put(f"/api/v4/jobs/{job['id']}", json={"state": "failed"})).status_code == 403


async def test_what_failed_is_run_again_and_what_runs_is_canceled(web: httpx.AsyncClient) -> None:
    """The job that failed stays to be seen, but no longer counts."""
    pipeline = (await web.post(f"{PROJECT}/pipeline", json={"ref": "main"})).json()
    own = f"{PROJECT}/pipelines/{pipeline['id']}"
    (first,) = (await web.get(f"{own}/jobs")).json()
    await web.put(f"/api/v4/jobs/{first['id']}", json={"state": "failed", "failure_reason": "stuck"})
    assert (await web.get(f"{PROJECT}/jobs/{first['id']}")).json()["failure_reason"] == "stuck"
    assert (await web.post(f"{own}/retry")).json()["status"] == "pending"
    (second,) = (await web.get(f"{own}/jobs")).json()
    assert second["id"] != first["id"]
    assert len((await web.get(f"{own}/jobs?include_retried=true")).json()) == 2
    assert (await web.post(f"{PROJECT}/jobs/{second['id']}/retry")).status_code == 403
    assert (await web.post(f"{own}/cancel")).json()["status"] == "canceled"
    assert (await web.post(f"{PROJECT}/jobs/{second['id']}/retry")).json()["status"] == "pending"
    assert (await web.post(f"{PROJECT}/jobs/{second['id']}/play")).status_code == 400


async def test_pipelines_and_jobs_are_filtered(web: httpx.AsyncClient) -> None:
    """By what bots know of them; a merge request and a branch lead to theirs."""
    new = (await web.post(f"{PROJECT}/pipeline", json={"ref": "main"})).json()["id"]

    async def found(query: str) -> list[int]:
        return [one["id"] for one in (await web.get(f"{PROJECT}/{query}")).json()]

    assert await found("pipelines") == [new, 81]
    assert await found("pipelines?status=success&ref=steadier-float") == [81]
    assert await found("pipelines?scope=finished&username=fern") == [81]
    assert await found("pipelines?sort=asc&source=api") == [new]
    assert await found("jobs?scope[]=success") == [91]
    assert await found("merge_requests/1/pipelines") == [81]
    assert (await web.get(f"{PROJECT}/pipelines/latest?ref=steadier-float")).json()["id"] == 81
    assert (await web.get(f"{PROJECT}/merge_requests/1")).json()["head_pipeline"]["id"] == 81
    made = (await web.post(f"{PROJECT}/merge_requests/1/pipelines")).json()
    assert (made["source"], made["ref"]) == ("merge_request_event", "steadier-float")


async def test_a_commit_status_goes_its_way_and_begins_anew_after_its_end(web: httpx.AsyncClient) -> None:
    """The same one until it has ended, then another of the same name."""
    ids = []
    for state in ("pending", "running", "success", "failed"):
        answer = await web.post(STATUSES, json={"state": state, "name": "bot", "description": state})
        assert (answer.status_code, answer.json()["status"]) == (201, state)
        ids.append(answer.json()["id"])
    assert ids[0] == ids[1] == ids[2] != ids[3]
    listed = f"{PROJECT}/repository/commits/main/statuses"
    assert [one["status"] for one in (await web.get(listed)).json()] == ["failed"]
    assert len((await web.get(f"{listed}?all=true&name=bot")).json()) == 2
    (pipeline,) = (await web.get(f"{PROJECT}/pipelines?ref=main")).json()
    assert (pipeline["source"], pipeline["status"]) == ("external", "failed")
    assert (await web.get(f"{PROJECT}/jobs?scope=failed")).json() == []


async def test_a_status_joins_the_pipeline_that_is_there(web: httpx.AsyncClient) -> None:
    """So that it counts for the merge request; the name is `default` unless there is one."""
    status = (await web.post(f"{PROJECT}/statuses/steadier-float", json={"state": "failed"})).json()
    assert (status["name"], status["pipeline_id"]) == ("default", 81)
    assert (await web.get(f"{PROJECT}/pipelines/81")).json()["status"] == "failed"
    other = {"state": "success", "context": "bot/lint", "coverage": "81.5"}
    status = (await web.post(f"{PROJECT}/statuses/steadier-float", json=other)).json()
    assert (status["name"], status["coverage"]) == ("bot/lint", 81.5)


@pytest.mark.parametrize("state", ["pending", "running"])
async def test_a_status_cannot_go_to_where_it_is(web: httpx.AsyncClient, state: str) -> None:
    """GitLab's best-known complaint to bots, in its words."""
    await web.post(STATUSES, json={"state": state})
    again = await web.post(STATUSES, json={"state": state})
    event = {"pending": "enqueue", "running": "run"}[state]
    assert again.status_code == 400
    assert again.json()["message"] == (
        f"Cannot transition status via :{event} from :{state} "
        f'(Reason(s): Status cannot transition via "{event}")'
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        ("/statuses/main", {}, 400, {"error": "state is missing"}),
        ("/statuses/main", {"state": "fine"}, 400, {"error": "state does not have a valid value"}),
        ("/statuses/nowhere", {"state": "success"}, 404, {"message": "404 Commit Not Found"}),
        (
            *("/statuses/main", {"state": "success", "pipeline_id": 81}, 404),
            {"message": "404 Pipeline for pipeline_id, sha and ref Not Found"},
        ),
        (
            *("/statuses/main", {"state": "success", "description": "x" * 256}, 400),
            {"message": {"description": ["is too long (maximum is 255 characters)"]}},
        ),
        ("/pipeline", {}, 400, {"error": "ref is missing"}),
        ("/pipeline", {"ref": "nowhere"}, 400, {"message": {"base": ["Reference not found"]}}),
        ("/pipeline", {"ref": "main", "variables": [1]}, 400, {"error": "variables is invalid"}),
        ("/pipelines/9/retry", {}, 404, {"message": "404 Not found"}),
        ("/jobs/9/retry", {}, 404, {"message": "404 Not found"}),
    ],
)
async def test_refusals_are_in_gitlabs_words(
    web: httpx.AsyncClient, path: str, body: object, status: int, answer: object
) -> None:
    """Status and body, as clients match on them."""
    response = await web.post(f"{PROJECT}{path}", json=body)
    assert (response.status_code, response.json()) == (status, answer)


def test_jobs_are_found_in_a_configuration() -> None:
    """As far as one can tell without running GitLab."""
    config = (
        "stages: [build, test]\n\ndefault:\n  image: python\n\n.hidden:\n  stage: build\n\n"
        "compile:\n  stage: build\n  script:\n    - make\n\nunit tests:\n  script: [make test]\n"
    )
    assert jobs_in(config) == [("compile", "build"), ("unit tests", "test")]
