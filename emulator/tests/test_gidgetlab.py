"""gidgetlab's own client, unchanged, against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gidgetlab.exceptions import BadRequest
from gidgetlab.httpx import GitLabAPI
from gidgetlab.sansio import Event

if TYPE_CHECKING:
    import httpx
    from receiving import Receiver
    from starlette.applications import Starlette


@pytest.fixture
def gl(web: httpx.AsyncClient) -> GitLabAPI:
    """The client as a bot makes it."""
    return GitLabAPI(web, "test-bot", access_token="glpat-any", url="http://gitlab.test")


async def test_it_gets_an_item_and_posts_a_note(gl: GitLabAPI) -> None:
    """What every bot does."""
    issue = await gl.getitem("/projects/greenhouse%2Fwatering-can/issues/1")
    note = await gl.post(f"/projects/1/issues/{issue['iid']}/notes", data={"body": "Thanks!"})
    assert note["body"] == "Thanks!"
    assert gl.rate_limit is not None
    assert gl.rate_limit.remaining == 1998


async def test_it_goes_through_all_pages(gl: GitLabAPI) -> None:
    """By the Link header."""
    for number in range(45):
        await gl.post("/projects/1/issues/1/notes", data={"body": str(number)})
    notes = [note async for note in gl.getiter("/projects/1/issues/1/notes", {"sort": "asc"})]
    assert [note["body"] for note in notes[1:]] == [str(number) for number in range(45)]


async def test_it_edits_and_deletes(gl: GitLabAPI) -> None:
    """With the methods that have other answers."""
    issue = await gl.put("/projects/1/issues/1", data={"state_event": "close"})
    assert issue["state"] == "closed"
    await gl.delete("/projects/1/issues/1/notes/11")
    with pytest.raises(BadRequest, match="404 Not found"):
        await gl.getitem("/projects/1/issues/1/notes/11")


async def test_a_fault_on_order_reaches_it_as_gitlabs_would(gl: GitLabAPI, web: httpx.AsyncClient) -> None:
    """A 429 is a BadRequest to gidgetlab."""
    await web.post("/-/faults", json={"status": 429, "headers": {"Retry-After": "2"}})
    with pytest.raises(BadRequest) as caught:
        await gl.getitem("/user")
    assert caught.value.status_code == 429


async def test_it_makes_a_project_and_a_hook_and_the_issue_it_opens_arrives(
    gl: GitLabAPI, app: Starlette, receiver: Receiver
) -> None:
    """The whole way round: API, hook, receiver; the bot's own event is not told to it a second time."""
    project = await gl.post("/projects", data={"name": "Hose Pipe", "visibility": "public"})
    await gl.post(f"/projects/{project['id']}/hooks", data={"url": receiver.url, "issues_events": True})
    issue = await gl.post(f"/projects/{project['id']}/issues", data={"title": "Leak", "labels": "wet"})
    await app.state.hooks.settled()
    (received,) = receiver.received
    event = Event(received.data, event=received.headers["x-gitlab-event"])
    assert (event.project_id, event.object_attributes["url"]) == (project["id"], issue["web_url"])
    uuid = received.headers["x-gitlab-event-uuid"]
    path = f"/api/v4/projects/{project['id']}/issues/{issue['iid']}"
    await gl._client.put(path, json={"add_labels": "seen"}, headers={"X-Gitlab-Event-UUID": uuid})
    await app.state.hooks.settled()
    assert len(receiver.received) == 1


async def test_it_does_what_bots_do_on_a_merge_request(gl: GitLabAPI) -> None:
    """A status, an emoji, a discussion, an approval, the merge."""
    own = "/projects/1/merge_requests/1"
    sha = (await gl.getitem(own))["sha"]
    await gl.post(f"/projects/1/statuses/{sha}", data={"state": "success", "name": "bot"})
    await gl.post(f"{own}/award_emoji", data={"name": "seedling"})
    discussion = await gl.post(f"{own}/discussions", data={"body": "Twice?"})
    await gl.put(f"{own}/discussions/{discussion['id']}", data={"resolved": True})
    await gl.post(f"{own}/approve", data={})
    merged = await gl.put(f"{own}/merge", data={"sha": sha})
    assert (merged["state"], merged["blocking_discussions_resolved"]) == ("merged", True)
    with pytest.raises(BadRequest, match="405 Method Not Allowed"):
        await gl.put(f"{own}/merge", data={})
