"""Approving and merging through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

PROJECT = "/api/v4/projects/1"
MERGE_REQUEST = f"{PROJECT}/merge_requests/1"


async def test_merging_moves_the_target_branch_and_closes_what_it_says(web: httpx.AsyncClient) -> None:
    """The files are there afterwards, and the branch is gone if asked."""
    options = {"should_remove_source_branch": True, "merge_commit_message": "Steady!"}
    answer = await web.put(f"{MERGE_REQUEST}/merge", json=options)
    merged = answer.json()
    assert (answer.status_code, merged["state"], merged["merge_user"]["username"]) == (
        *(200, "merged"),
        "garden-bot",
    )
    newest = (await web.get(f"{PROJECT}/repository/commits/main")).json()
    assert (newest["id"], newest["message"]) == (merged["merge_commit_sha"], "Steady!")
    tank = await web.get(f"{PROJECT}/repository/files/watering%2Ftank.py/raw?ref=main")
    assert "max(" in tank.text
    assert [one["name"] for one in (await web.get(f"{PROJECT}/repository/branches")).json()] == ["main"]
    assert (await web.get(f"{PROJECT}/issues/1")).json()["state"] == "closed"


async def test_issues_and_merge_requests_know_which_closes_which(web: httpx.AsyncClient) -> None:
    """By what the description says."""
    assert [one["iid"] for one in (await web.get(f"{MERGE_REQUEST}/closes_issues")).json()] == [1]
    assert [one["iid"] for one in (await web.get(f"{PROJECT}/issues/1/closed_by")).json()] == [1]
    await web.put(MERGE_REQUEST, json={"description": "Mentions #1"})
    assert (await web.get(f"{PROJECT}/issues/1/closed_by")).json() == []


@pytest.mark.parametrize(
    ("before", "body", "status", "message"),
    [
        ({"title": "Draft: later"}, {}, 405, "405 Method Not Allowed"),
        ({"state_event": "close"}, {}, 405, "405 Method Not Allowed"),
        ({"title": "Now"}, {"sha": "abc"}, 409, "SHA does not match HEAD of source branch: "),
    ],
)
async def test_what_cannot_be_merged_stays_as_it_is(
    web: httpx.AsyncClient, before: object, body: object, status: int, message: str
) -> None:
    """With GitLab's reason, which is not much of one."""
    await web.put(MERGE_REQUEST, json=before)
    answer = await web.put(f"{MERGE_REQUEST}/merge", json=body)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)
    assert (await web.get(MERGE_REQUEST)).json()["merged_at"] is None


async def test_merging_twice_is_refused(web: httpx.AsyncClient) -> None:
    """Nor does reopening help."""
    await web.put(f"{MERGE_REQUEST}/merge")
    assert (await web.put(f"{MERGE_REQUEST}/merge")).status_code == 405
    reopened = await web.put(MERGE_REQUEST, json={"state_event": "reopen"})
    assert reopened.json()["state"] == "merged"


async def test_an_approval_of_another_commit_is_refused(web: httpx.AsyncClient) -> None:
    """Whoever gives a `sha` approves of just that."""
    assert (await web.post(f"{MERGE_REQUEST}/approve", json={"sha": "abc"})).status_code == 409
    sha = (await web.get(MERGE_REQUEST)).json()["sha"]
    assert (await web.post(f"{MERGE_REQUEST}/approve", json={"sha": sha})).status_code == 201


async def test_a_merge_request_without_branches_is_merged_all_the_same(web: httpx.AsyncClient) -> None:
    """Bots that only need the state of one need no repository."""
    number = (await web.post("/api/v4/projects", json={"name": "Empty"})).json()["id"]
    own = f"/api/v4/projects/{number}/merge_requests"
    body = {"title": "x", "source_branch": "a", "target_branch": "b"}
    assert (await web.post(own, json=body)).status_code == 201
    assert (await web.put(f"{own}/1/merge")).json()["state"] == "merged"
    same = {"title": "x", "source_branch": "b", "target_branch": "b"}
    assert (await web.post(own, json=same)).status_code == 400
