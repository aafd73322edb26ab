"""What the hooks hear of acts through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
    from gitlab_api.conftest import Heard

PROJECT = "/api/v4/projects/1"
ISSUE = f"{PROJECT}/issues/1"
MERGE_REQUEST = f"{PROJECT}/merge_requests/1"


async def test_an_opened_issue_is_told_as_the_api_shows_it(web: httpx.AsyncClient, heard: Heard) -> None:
    """Ids, urls, users and labels agree, and the project is named for its hooks."""
    issue = (
        await web.post(f"{PROJECT}/issues", json={"title": "Leak", "labels": "wet", "assignee_ids": [2]})
    ).json()
    told = heard.last
    attributes = told["object_attributes"]
    assert (attributes["id"], attributes["iid"], attributes["title"]) == (issue["id"], issue["iid"], "Leak")
    assert (attributes["action"], attributes["url"]) == ("open", issue["web_url"])
    assert told["user"]["username"] == issue["author"]["username"]
    assert [label["title"] for label in told["labels"]] == ["wet"]
    assert [person["username"] for person in told["assignees"]] == ["basil"]
    assert told["changes"]["title"] == {"previous": None, "current": "Leak"}
    assert (heard.activities[0].project_id, heard.activities[0].group_id) == (1, None)


async def test_a_label_is_an_update_that_says_what_changed(web: httpx.AsyncClient, heard: Heard) -> None:
    """Before and after, as whole labels."""
    await web.put(ISSUE, json={"add_labels": "wet"})
    assert heard.last["object_attributes"]["action"] == "update"
    change = heard.last["changes"]["labels"]
    assert [label["title"] for label in change["previous"]] == ["bug"]
    assert [label["title"] for label in change["current"]] == ["bug", "wet"]
    label = (await web.get(f"{PROJECT}/labels/wet")).json()
    assert change["current"][1]["id"] == label["id"]


async def test_a_new_state_and_a_new_title_are_two_events(web: httpx.AsyncClient, heard: Heard) -> None:
    """The state first; each names its own changes only."""
    await web.put(ISSUE, json={"state_event": "close", "title": "Dry"})
    closed, updated = (one.body for one in heard.activities)
    assert closed["object_attributes"]["action"] == "close"
    assert closed["changes"]["state_id"] == {"previous": 1, "current": 2}
    assert "title" not in closed["changes"]
    assert updated["object_attributes"]["action"] == "update"
    assert updated["changes"]["title"]["current"] == "Dry"
    assert "state_id" not in updated["changes"]


async def test_an_edit_that_changes_nothing_is_not_told(web: httpx.AsyncClient, heard: Heard) -> None:
    """The same title, the same labels, closing what is closed."""
    title = (await web.get(ISSUE)).json()["title"]
    await web.put(ISSUE, json={"title": title, "labels": "bug"})
    await web.put(ISSUE, json={"state_event": "reopen"})
    await web.put(f"{ISSUE}", json={"state_event": "explode"})
    assert heard.brief() == []


async def test_confidential_things_have_their_own_switch(web: httpx.AsyncClient, heard: Heard) -> None:
    """Issues, notes on them, and internal notes elsewhere."""
    await web.post(f"{PROJECT}/issues", json={"title": "Key under the pot", "confidential": True})
    assert heard.last["event_type"] == "confidential_issue"
    await web.post(f"{PROJECT}/issues/2/notes", json={"body": "Moved it"})
    assert heard.last["event_type"] == "confidential_note"
    await web.post(f"{ISSUE}/notes", json={"body": "psst", "internal": True})
    await web.post(f"{ISSUE}/notes", json={"body": "aloud"})
    assert heard.brief() == [
        ("confidential_issues", "open"),
        ("confidential_note", "create"),
        ("confidential_note", "create"),
        ("note", "create"),
    ]


async def test_notes_discussions_and_emoji_are_told(web: httpx.AsyncClient, heard: Heard) -> None:
    """Written, edited, replied to, reacted to; a deleted note is not."""
    note = (await web.post(f"{ISSUE}/notes", json={"body": "Hi"})).json()
    assert heard.last["object_attributes"]["url"].endswith(f"/-/issues/1#note_{note['id']}")
    assert heard.last["issue"]["iid"] == 1
    await web.put(f"{ISSUE}/notes/{note['id']}", json={"body": "Hello"})
    discussion = (await web.post(f"{MERGE_REQUEST}/discussions", json={"body": "Why?"})).json()
    assert heard.last["object_attributes"]["discussion_id"] == discussion["id"]
    assert heard.last["merge_request"]["iid"] == 1
    await web.post(f"{MERGE_REQUEST}/discussions/{discussion['id']}/notes", json={"body": "So."})
    award = (await web.post(f"{ISSUE}/award_emoji", json={"name": "seedling"})).json()
    assert heard.last["object_attributes"]["id"] == award["id"]
    await web.delete(f"{ISSUE}/award_emoji/{award['id']}")
    assert heard.last["event_type"] == "revoke"
    await web.post(f"{ISSUE}/notes/{note['id']}/award_emoji", json={"name": "seedling"})
    assert (heard.last["note"]["note"], heard.last["issue"]["iid"]) == ("Hello", 1)
    await web.delete(f"{ISSUE}/notes/{note['id']}")
    assert heard.brief() == [
        *(("note", "create"), ("note", "update"), ("note", "create"), ("note", "create")),
        *(("emoji", "award"), ("emoji", "revoke"), ("emoji", "award")),
    ]


async def test_a_merge_request_is_told_from_its_opening_to_its_end(
    web: httpx.AsyncClient, heard: Heard
) -> None:
    """Merging also moves the target branch, and closes what the description says it closes."""
    body = {"title": "Longer hose", "source_branch": "hose", "target_branch": "main"}
    await web.post(f"{PROJECT}/merge_requests", json=body)
    assert heard.last["object_attributes"]["merge_status"] == "checking"
    await web.put(f"{PROJECT}/merge_requests/2", json={"reviewer_ids": [2]})
    assert [one["username"] for one in heard.last["reviewers"]] == ["basil"]
    await web.put(f"{PROJECT}/merge_requests/2", json={"state_event": "close"})
    await web.put(f"{PROJECT}/merge_requests/2", json={"state_event": "reopen"})
    await web.post(f"{MERGE_REQUEST}/approve")
    await web.post(f"{MERGE_REQUEST}/unapprove")
    assert heard.brief() == [
        ("merge_requests", action)
        for action in ("open", "update", "close", "reopen", "approved", "unapproved")
    ]
    merged = (await web.put(f"{MERGE_REQUEST}/merge")).json()
    merge, push, closed = heard.activities
    assert merge.body["changes"]["state_id"] == {"previous": 1, "current": 3}
    assert merge.body["object_attributes"]["merge_commit_sha"] == merged["merge_commit_sha"]
    assert (push.trigger, push.ref, push.body["after"]) == (
        *("push", "refs/heads/main"),
        merged["merge_commit_sha"],
    )
    assert [commit["modified"] for commit in push.body["commits"]][-1] == ["watering/tank.py"]
    assert (closed.trigger, closed.body["object_attributes"]["iid"]) == ("issues", 1)


async def test_jobs_and_pipelines_are_told_at_each_step(web: httpx.AsyncClient, heard: Heard) -> None:
    """From the order to the runner's report, and again after a retry."""
    pipeline = (await web.post(f"{PROJECT}/pipeline", json={"ref": "main"})).json()
    (job,) = (await web.get(f"{PROJECT}/pipelines/{pipeline['id']}/jobs")).json()
    assert heard.last["object_attributes"]["url"] == pipeline["web_url"]
    assert heard.brief() == [("job", "created"), ("job", "pending"), ("pipeline", "pending")]
    await web.put(f"/api/v4/jobs/{job['id']}", json={"state": "failed"})
    assert heard.last["object_attributes"]["finished_at"] == "2026-11-20 12:30:15 UTC"
    assert heard.last["builds"][0]["failure_reason"] == "script_failure"
    assert heard.brief() == [
        *(("job", "running"), ("pipeline", "running")),
        *(("job", "failed"), ("pipeline", "failed")),
    ]
    await web.post(f"{PROJECT}/jobs/{job['id']}/retry")
    assert heard.last["object_attributes"]["status"] == "pending"
    assert heard.activities[0].body["retries_count"] == 1


async def test_a_commit_status_is_told_as_its_pipeline(web: httpx.AsyncClient, heard: Heard) -> None:
    """It is no runner's job, so there is no job event."""
    for state in ("pending", "running", "success"):
        await web.post(f"{PROJECT}/statuses/main", json={"state": state, "name": "bot"})
    assert [build["name"] for build in heard.last["builds"]] == ["bot"]
    assert heard.brief() == [("pipeline", "pending"), ("pipeline", "running"), ("pipeline", "success")]


async def test_groups_hear_of_what_is_in_them_and_system_hooks_of_everything(
    web: httpx.AsyncClient, heard: Heard
) -> None:
    """Projects, subgroups, members."""
    project = (await web.post("/api/v4/projects", json={"name": "Hose", "namespace_id": 5})).json()
    of_group, of_system = heard.activities
    assert (of_group.trigger, of_group.group_id, of_group.body["event_name"]) == (
        *("project", 5),
        "project_create",
    )
    assert (of_system.project_id, of_system.group_id) == (None, None)
    assert of_system.body["path_with_namespace"] == "greenhouse/hose"
    heard.activities.clear()
    await web.delete(f"/api/v4/projects/{project['id']}")
    await web.post("/api/v4/groups", json={"name": "Shed", "path": "shed", "parent_id": 5})
    await web.post("/api/v4/groups/5/members", json={"user_id": 2, "access_level": 20})
    member = heard.activities[-2]
    assert (member.group_id, member.body["group_access"], member.body["user_username"]) == (
        *(5, "Reporter"),
        "basil",
    )
    await web.delete("/api/v4/groups/5/members/2")
    await web.post(f"{PROJECT}/members", json={"user_id": 1, "access_level": 20})
    assert heard.brief() == [
        *(("project", "project_destroy"), ("system", "project_destroy")),
        *(("subgroup", "subgroup_create"), ("system", "group_create")),
        *(("member", "user_add_to_group"), ("system", "user_add_to_group")),
        *(("member", "user_remove_from_group"), ("system", "user_remove_from_group")),
        ("system", "user_add_to_team"),
    ]


async def test_the_event_that_led_to_a_call_is_passed_on(web: httpx.AsyncClient, heard: Heard) -> None:
    """So that a bot that answers itself can be stopped."""
    await web.post(f"{ISSUE}/notes", json={"body": "Hi"}, headers={"X-Gitlab-Event-UUID": "e-1"})
    await web.post(f"{ISSUE}/notes", json={"body": "Hi"})
    assert heard.event_uuids == ["e-1", None]


async def test_nothing_is_told_of_a_call_that_is_refused(web: httpx.AsyncClient, heard: Heard) -> None:
    """By GitLab or by a fault on order."""
    await web.post(f"{ISSUE}/notes", json={"body": " "})
    await web.post("/-/faults", json={"status": 500})
    await web.post(f"{ISSUE}/notes", json={"body": "Hi"})
    assert heard.activities == []
