"""Issues through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

ISSUES = "/api/v4/projects/1/issues"


async def test_an_issue_has_the_fields_that_bots_read(web: httpx.AsyncClient) -> None:
    """One look at the shape as GitLab documents it."""
    issue = (await web.get(f"{ISSUES}/1")).json()
    assert (issue["iid"], issue["state"], issue["labels"]) == (1, "opened", ["bug"])
    assert issue["author"]["username"] == "basil"
    assert issue["web_url"] == "http://gitlab.test/greenhouse/watering-can/-/issues/1"
    assert issue["created_at"] == "2026-11-02T10:00:00.000Z"
    assert issue["references"]["full"] == "greenhouse/watering-can#1"
    assert issue["user_notes_count"] == 1


@pytest.mark.parametrize("reference", ["1", "greenhouse%2Fwatering-can", "Greenhouse%2fWatering-Can"])
async def test_a_project_is_named_by_number_or_by_encoded_path(
    web: httpx.AsyncClient, reference: str
) -> None:
    """The encoded slash stays within one part of the path, as in GitLab."""
    assert (await web.get(f"/api/v4/projects/{reference}/issues/1")).json()["iid"] == 1


async def test_an_opened_issue_belongs_to_the_bot_and_gets_the_next_number(web: httpx.AsyncClient) -> None:
    """Created through the API means created by the token's account."""
    answer = await web.post(
        ISSUES, json={"title": " Leak ", "labels": "wet, bug,,wet", "assignee_ids": [2, 99]}
    )
    issue = answer.json()
    assert (answer.status_code, issue["iid"], issue["title"]) == (201, 2, "Leak")
    assert issue["author"]["username"] == "garden-bot"
    assert issue["labels"] == ["bug", "wet"]
    assert [one["username"] for one in issue["assignees"]] == ["basil"]
    assert issue["created_at"] == "2026-11-20T12:30:15.250Z"


async def test_parameters_may_stand_in_a_form_or_in_the_query(web: httpx.AsyncClient) -> None:
    """GitLab's own examples post either way."""
    assert (await web.post(ISSUES, data={"title": "by form"})).json()["title"] == "by form"
    assert (await web.post(f"{ISSUES}?title=by%20query")).json()["title"] == "by query"


async def test_closing_and_reopening_sets_who_and_when(web: httpx.AsyncClient) -> None:
    """`state_event` drives the state; closing twice changes nothing."""
    closed = (await web.put(f"{ISSUES}/1", json={"state_event": "close"})).json()
    assert (closed["state"], closed["closed_by"]["username"]) == ("closed", "garden-bot")
    assert closed["closed_at"] == "2026-11-20T12:30:15.250Z"
    reopened = (await web.put(f"{ISSUES}/1", json={"state_event": "reopen"})).json()
    assert (reopened["state"], reopened["closed_by"], reopened["closed_at"]) == ("opened", None, None)


async def test_labels_are_replaced_added_and_removed(web: httpx.AsyncClient) -> None:
    """Three parameters, one list."""
    added = await web.put(f"{ISSUES}/1", json={"add_labels": "wet,urgent"})
    assert added.json()["labels"] == ["bug", "urgent", "wet"]
    assert (await web.put(f"{ISSUES}/1", json={"remove_labels": "bug"})).json()["labels"] == ["urgent", "wet"]
    assert (await web.put(f"{ISSUES}/1", json={"labels": ["dry"]})).json()["labels"] == ["dry"]
    assert (await web.put(f"{ISSUES}/1", json={"labels": ""})).json()["labels"] == []


async def test_a_refused_edit_changes_nothing(web: httpx.AsyncClient) -> None:
    """All parameters are read before the first is applied."""
    before = (await web.get(f"{ISSUES}/1")).json()
    answer = await web.put(f"{ISSUES}/1", json={"title": "New", "state_event": "explode"})
    assert answer.status_code == 400
    assert (await web.get(f"{ISSUES}/1")).json() == before


async def test_lists_are_filtered(web: httpx.AsyncClient) -> None:
    """By state, label, number, text and author, alone or together."""
    await web.post(ISSUES, json={"title": "Second", "labels": "wet"})
    await web.put(f"{ISSUES}/2", json={"state_event": "close"})

    async def iids(**params: str) -> list[int]:
        return [issue["iid"] for issue in (await web.get(ISSUES, params=params)).json()]

    assert await iids() == [2, 1]
    assert await iids(sort="asc") == [1, 2]
    assert await iids(state="opened") == [1]
    assert await iids(labels="wet", state="closed") == [2]
    assert await iids(search="TANK") == [1]
    assert await iids(author_username="basil") == [1]
    assert await iids(**{"iids[]": "2"}) == [2]
    assert [one["iid"] for one in (await web.get("/api/v4/issues")).json()] == [2, 1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("POST", ISSUES, {}, 400, {"error": "title is missing"}),
        ("POST", ISSUES, {"title": ""}, 400, {"message": {"title": ["can't be blank"]}}),
        ("POST", ISSUES, {"title": None}, 400, {"message": {"title": ["can't be blank"]}}),
        (
            *("POST", ISSUES, {"title": "x" * 256}, 400),
            {"message": {"title": ["is too long (maximum is 255 characters)"]}},
        ),
        ("POST", ISSUES, {"title": ["x"]}, 400, {"error": "title is invalid"}),
        (
            "POST",
            ISSUES,
            {"title": "x", "confidential": "perhaps"},
            400,
            {"error": "confidential is invalid"},
        ),
        ("POST", ISSUES, {"title": "x", "labels": [{}]}, 400, {"error": "labels is invalid"}),
        ("POST", ISSUES, {"title": "x", "assignee_ids": ["me"]}, 400, {"error": "assignee_ids is invalid"}),
        (
            "PUT",
            f"{ISSUES}/1",
            {"state_event": "x"},
            400,
            {"error": "state_event does not have a valid value"},
        ),
        ("GET", f"{ISSUES}?state=asleep", None, 400, {"error": "state does not have a valid value"}),
        ("GET", f"{ISSUES}/99", None, 404, {"message": "404 Not found"}),
        ("GET", f"{ISSUES}/one", None, 400, {"error": "issue_iid is invalid"}),
        ("GET", f"{ISSUES}/{'9' * 5000}", None, 400, {"error": "issue_iid is invalid"}),
        ("GET", "/api/v4/projects/2/issues", None, 404, {"message": "404 Project Not Found"}),
        ("GET", "/api/v4/projects/no%2Fwhere/issues/1", None, 404, {"message": "404 Project Not Found"}),
    ],
)
async def test_refusals_are_in_gitlabs_words(
    web: httpx.AsyncClient, method: str, path: str, body: object, status: int, answer: object
) -> None:
    """Status and body, as clients match on them."""
    response = await web.request(method, path, json=body)
    assert (response.status_code, response.json()) == (status, answer)


async def test_an_edit_without_anything_to_change_is_refused(web: httpx.AsyncClient) -> None:
    """GitLab names all parameters that would do."""
    response = await web.put(f"{ISSUES}/1", json={})
    assert response.status_code == 400
    assert response.json()["error"].endswith("are missing, at least one parameter must be provided")
