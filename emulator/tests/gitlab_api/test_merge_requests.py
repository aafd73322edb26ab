"""Merge requests through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

MERGE_REQUESTS = "/api/v4/projects/1/merge_requests"


async def test_a_merge_request_shows_its_branches_and_sha(web: httpx.AsyncClient) -> None:
    """What a bot asks before it acts on one."""
    one = (await web.get(f"{MERGE_REQUESTS}/1")).json()
    assert (one["source_branch"], one["target_branch"], one["state"]) == ("steadier-float", "main", "opened")
    assert len(one["sha"]) == 40
    assert one["diff_refs"]["head_sha"] == one["sha"]
    assert one["web_url"] == "http://gitlab.test/greenhouse/watering-can/-/merge_requests/1"


async def test_its_commits_and_changed_files_can_be_asked_for(web: httpx.AsyncClient) -> None:
    """In the old way (`changes`) and the new one (`diffs`)."""
    one = (await web.get(f"{MERGE_REQUESTS}/1")).json()
    assert [commit["id"] for commit in (await web.get(f"{MERGE_REQUESTS}/1/commits")).json()] == [one["sha"]]
    changes = (await web.get(f"{MERGE_REQUESTS}/1/changes")).json()["changes"]
    assert [change["new_path"] for change in changes] == ["watering/tank.py"]
    assert (await web.get(f"{MERGE_REQUESTS}/1/diffs")).json() == changes


async def test_an_opened_merge_request_blocks_its_source_branch(web: httpx.AsyncClient) -> None:
    """A second one for the same branch is a conflict until the first is closed."""
    body = {"title": "Draft: longer hose", "source_branch": "hose", "target_branch": "main"}
    created = await web.post(MERGE_REQUESTS, json=body)
    assert (created.status_code, created.json()["iid"], created.json()["draft"]) == (201, 2, True)
    again = await web.post(MERGE_REQUESTS, json=body)
    assert again.status_code == 409
    assert again.json()["message"] == ["Another open merge request already exists for this source branch: !2"]
    closed = await web.put(f"{MERGE_REQUESTS}/2", json={"state_event": "close"})
    assert closed.json()["state"] == "closed"
    assert (await web.post(MERGE_REQUESTS, json=body)).json()["iid"] == 3


async def test_every_missing_parameter_is_named(web: httpx.AsyncClient) -> None:
    """All at once."""
    response = await web.post(MERGE_REQUESTS, json={"title": "x"})
    assert response.status_code == 400
    assert response.json() == {"error": "source_branch is missing, target_branch is missing"}


async def test_approving_twice_is_refused_and_can_be_taken_back(web: httpx.AsyncClient) -> None:
    """GitLab answers 401 to the second approval."""
    approved = await web.post(f"{MERGE_REQUESTS}/1/approve")
    assert (approved.status_code, approved.json()["user_has_approved"]) == (201, True)
    assert (await web.post(f"{MERGE_REQUESTS}/1/approve")).status_code == 401
    approvals = (await web.get(f"{MERGE_REQUESTS}/1/approvals")).json()
    assert [one["user"]["username"] for one in approvals["approved_by"]] == ["garden-bot"]
    assert (await web.post(f"{MERGE_REQUESTS}/1/unapprove")).status_code == 201
    assert (await web.post(f"{MERGE_REQUESTS}/1/unapprove")).status_code == 404


async def test_lists_are_filtered_by_branch_and_state(web: httpx.AsyncClient) -> None:
    """As far as bots ask."""
    assert len((await web.get(MERGE_REQUESTS, params={"source_branch": "steadier-float"})).json()) == 1
    assert (await web.get(MERGE_REQUESTS, params={"target_branch": "elsewhere"})).json() == []
    assert (await web.get("/api/v4/merge_requests", params={"state": "merged"})).json() == []
