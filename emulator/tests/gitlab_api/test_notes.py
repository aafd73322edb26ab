"""Notes through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

ON_ISSUE = "/api/v4/projects/1/issues/1/notes"
ON_MERGE_REQUEST = "/api/v4/projects/1/merge_requests/1/notes"


@pytest.mark.parametrize(("url", "kind"), [(ON_ISSUE, "Issue"), (ON_MERGE_REQUEST, "MergeRequest")])
async def test_a_note_is_written_read_edited_and_deleted(web: httpx.AsyncClient, url: str, kind: str) -> None:
    """The whole life of a note, on both kinds of things."""
    created = await web.post(url, json={"body": "Thanks! 🌱\n<b>"})
    note = created.json()
    assert created.status_code == 201
    assert (note["body"], note["author"]["username"]) == ("Thanks! 🌱\n<b>", "garden-bot")
    assert (note["noteable_type"], note["noteable_iid"], note["system"]) == (kind, 1, False)
    own = f"{url}/{note['id']}"
    assert (await web.get(own)).json() == note
    assert (await web.put(own, json={"body": "Thank you"})).json()["body"] == "Thank you"
    deleted = await web.delete(own)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await web.get(own)).json() == {"message": "404 Not found"}


async def test_the_newest_note_comes_first_unless_asked_otherwise(web: httpx.AsyncClient) -> None:
    """GitLab's default order, and the other one."""
    await web.post(ON_ISSUE, json={"body": "second"})
    await web.post(ON_ISSUE, json={"body": "third"})
    bodies = [note["body"] for note in (await web.get(ON_ISSUE)).json()]
    assert bodies[:2] == ["third", "second"]
    upwards = [note["body"] for note in (await web.get(f"{ON_ISSUE}?sort=asc&order_by=updated_at")).json()]
    assert upwards == bodies[::-1]


async def test_an_internal_note_says_so(web: httpx.AsyncClient) -> None:
    """Under its name and under the one before GitLab 15.3."""
    assert (await web.post(ON_ISSUE, json={"body": "psst", "internal": True})).json()["internal"] is True
    assert (await web.post(ON_ISSUE, json={"body": "psst", "confidential": True})).json()["internal"] is True


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        (ON_ISSUE, {}, 400, {"error": "body is missing"}),
        (ON_ISSUE, {"body": " "}, 400, {"message": '400 Bad request - Note {:note=>["can\'t be blank"]}'}),
        ("/api/v4/projects/1/issues/7/notes", {"body": "x"}, 404, {"message": "404 Not found"}),
        ("/api/v4/projects/9/issues/1/notes", {"body": "x"}, 404, {"message": "404 Project Not Found"}),
    ],
)
async def test_refusals_are_in_gitlabs_words(
    web: httpx.AsyncClient, path: str, body: object, status: int, answer: object
) -> None:
    """Status and body, as clients match on them."""
    response = await web.post(path, json=body)
    assert (response.status_code, response.json()) == (status, answer)


async def test_a_note_of_more_than_a_million_characters_is_refused(web: httpx.AsyncClient) -> None:
    """GitLab's limit for notes."""
    response = await web.post(ON_ISSUE, json={"body": "x" * 1_048_577})
    assert response.status_code == 400
    assert "maximum is 1048576 characters" in response.json()["message"]
