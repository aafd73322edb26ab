"""Discussions and emoji through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

ISSUE = "/api/v4/projects/1/issues/1"
MERGE_REQUEST = "/api/v4/projects/1/merge_requests/1"


@pytest.mark.parametrize("on", [ISSUE, MERGE_REQUEST])
async def test_a_discussion_groups_a_note_and_its_replies(web: httpx.AsyncClient, on: str) -> None:
    """The notes are also among the others, and each knows its discussion."""
    created = await web.post(f"{on}/discussions", json={"body": "Why?"})
    discussion = created.json()
    assert (created.status_code, discussion["individual_note"]) == (201, False)
    reply = await web.post(f"{on}/discussions/{discussion['id']}/notes", json={"body": "So."})
    assert (reply.status_code, reply.json()["type"]) == (201, "DiscussionNote")
    found = (await web.get(f"{on}/discussions/{discussion['id']}")).json()
    assert [note["body"] for note in found["notes"]] == ["Why?", "So."]
    assert len((await web.get(f"{on}/discussions")).json()) == 2
    assert (await web.get(f"{on}/notes")).headers["X-Total"] == "3"


async def test_a_reply_to_a_lone_note_makes_a_discussion_of_it(web: httpx.AsyncClient) -> None:
    """Until then it is an individual note."""
    (lone,) = (await web.get(f"{ISSUE}/discussions")).json()
    assert lone["individual_note"] is True
    await web.post(f"{ISSUE}/discussions/{lone['id']}/notes", json={"body": "The east one."})
    (grown,) = (await web.get(f"{ISSUE}/discussions")).json()
    assert (grown["individual_note"], len(grown["notes"])) == (False, 2)


async def test_on_merge_requests_discussions_are_resolved_as_a_whole_or_note_by_note(
    web: httpx.AsyncClient,
) -> None:
    """Who and when is kept; the merge request says whether all are."""
    discussion = (await web.post(f"{MERGE_REQUEST}/discussions", json={"body": "Why?"})).json()
    own = f"{MERGE_REQUEST}/discussions/{discussion['id']}"
    assert (await web.get(MERGE_REQUEST)).json()["blocking_discussions_resolved"] is False
    (note,) = (await web.put(own, json={"resolved": True})).json()["notes"]
    assert (note["resolved"], note["resolved_by"]["username"]) == (True, "garden-bot")
    assert (await web.get(MERGE_REQUEST)).json()["blocking_discussions_resolved"] is True
    note = (await web.put(f"{own}/notes/{note['id']}", json={"resolved": False})).json()
    assert (note["resolved"], note["resolved_by"]) == (False, None)


async def test_a_note_may_stand_in_the_difference(web: httpx.AsyncClient) -> None:
    """With its position kept as it was given; the form is taken as well."""
    shas = {f"{name}_sha": "a" * 40 for name in ("base", "start", "head")}
    position = {**shas, "position_type": "text", "new_path": "watering/tank.py", "new_line": 8}
    created = await web.post(f"{MERGE_REQUEST}/discussions", json={"body": "Twice?", "position": position})
    (note,) = created.json()["notes"]
    assert (note["type"], note["position"], note["resolvable"]) == ("DiffNote", position, True)
    form = {f"position[{name}]": str(value) for name, value in position.items()}
    created = await web.post(f"{MERGE_REQUEST}/discussions", data={"body": "Twice?", **form})
    assert created.json()["notes"][0]["position"]["new_line"] == "8"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("POST", f"{ISSUE}/discussions", {}, 400, {"error": "body is missing"}),
        (
            *("POST", f"{MERGE_REQUEST}/discussions", {"body": "x", "position": {"base_sha": "a"}}, 400),
            {
                "error": "position[start_sha] is missing, position[head_sha] is missing, "
                "position[position_type] is missing"
            },
        ),
        (
            *("POST", f"{MERGE_REQUEST}/discussions", {"body": "x", "position": "here"}, 400),
            {"error": "position is invalid"},
        ),
        ("GET", f"{ISSUE}/discussions/abc", None, 404, {"message": "404 Discussion Not Found"}),
        ("GET", f"{ISSUE}/discussions/abc/notes/11", None, 404, {"message": "404 Not found"}),
        ("POST", f"{ISSUE}/award_emoji", {}, 400, {"error": "name is missing"}),
        (
            *("POST", f"{ISSUE}/award_emoji", {"name": "no emoji"}, 404),
            {"message": "404 Award Emoji Name is not a valid emoji name Not Found"},
        ),
        ("DELETE", f"{ISSUE}/award_emoji/9", None, 404, {"message": "404 Not found"}),
        ("DELETE", f"{ISSUE}/award_emoji/x", None, 400, {"error": "award_id is invalid"}),
    ],
)
async def test_refusals_are_in_gitlabs_words(
    web: httpx.AsyncClient, method: str, path: str, body: object, status: int, answer: object
) -> None:
    """Status and body, as clients match on them."""
    response = await web.request(method, path, json=body)
    assert (response.status_code, response.json()) == (status, answer)


async def test_either_the_body_or_the_resolution_of_a_note_is_changed(web: httpx.AsyncClient) -> None:
    """Not both, not neither; a lone note cannot be resolved."""
    (lone,) = (await web.get(f"{MERGE_REQUEST}/discussions")).json()
    note = f"{MERGE_REQUEST}/discussions/{lone['id']}/notes/12"
    for body in ({}, {"body": "x", "resolved": True}):
        assert (await web.put(note, json=body)).status_code == 400
    assert (await web.put(note, json={"body": "x"})).json()["body"] == "x"
    assert (await web.put(note, json={"resolved": True})).status_code == 403


@pytest.mark.parametrize("on", [ISSUE, MERGE_REQUEST, f"{ISSUE}/notes/11", f"{MERGE_REQUEST}/notes/12"])
async def test_an_emoji_is_put_on_once_and_taken_away(web: httpx.AsyncClient, on: str) -> None:
    """On issues, merge requests and the notes of both."""
    created = await web.post(f"{on}/award_emoji", json={"name": "thumbsup"})
    award = created.json()
    assert (created.status_code, award["name"], award["user"]["username"]) == (201, "thumbsup", "garden-bot")
    assert (await web.get(f"{on}/award_emoji")).json() == [award]
    assert (await web.get(f"{on}/award_emoji/{award['id']}")).json() == award
    again = await web.post(f"{on}/award_emoji", json={"name": "thumbsup"})
    assert again.json() == {"message": "404 Award Emoji Name has already been taken Not Found"}
    assert (await web.delete(f"{on}/award_emoji/{award['id']}")).status_code == 204
    assert (await web.get(f"{on}/award_emoji")).json() == []


async def test_thumbs_are_counted(web: httpx.AsyncClient) -> None:
    """One for each account."""
    for who in ("fern", "basil"):
        await web.post(f"{ISSUE}/award_emoji", json={"name": "thumbsup"}, headers={"Sudo": who})
    await web.post(f"{ISSUE}/award_emoji", json={"name": "thumbsdown"})
    issue = (await web.get(ISSUE)).json()
    assert (issue["upvotes"], issue["downvotes"]) == (2, 1)
