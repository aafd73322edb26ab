"""Sample events: what they name is what the API knows."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.hooks.request import encode
from gitlab_emulator.samples.catalogue import SAMPLES
from gitlab_emulator.samples.groups import SUBGROUP_ID

if TYPE_CHECKING:
    import httpx
    from gitlab_emulator.samples.scene import Scene

# Fields that older GitLabs sent, or that only their paid tiers send.
GONE = {"assignee", "escalation_status", "escalation_policy", "oldrev", "owner_email", "owner_name"}
# Published payloads, beside the checkout; where there are none, payloads of our own with the same keys.
PUBLISHED = Path(__file__).resolve().parents[4] / "shared" / "payloads"
OWN = json.loads(Path(__file__).with_name("own_payloads.json").read_text())


def payload(name: str) -> dict[str, Any]:
    """The payload of that name: published, or of our own."""
    path = PUBLISHED / "go-gitlab" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else OWN["named"][name]
    return found


def system_payloads() -> list[dict[str, Any]]:
    """The payloads of system hooks."""
    published = [json.loads(path.read_text()) for path in sorted(PUBLISHED.glob("*/system*.json"))]
    return published or list(OWN["system"])


def bodies_of(scene: Scene) -> dict[str, dict[str, Any]]:
    """All samples as a receiver reads them."""
    return {name: json.loads(encode(sample.build(scene))) for name, sample in SAMPLES.items()}


def test_there_is_one_for_what_bots_listen_to() -> None:
    """The names are part of the command line, so they stay."""
    assert set(SAMPLES) >= {
        *("issue-open", "issue-close", "issue-update", "note-issue", "note-merge-request"),
        *("merge-request-open", "merge-request-update", "merge-request-merge"),
        *("push", "tag-push", "pipeline", "job", "release"),
    }
    assert all(sample.summary for sample in SAMPLES.values())


async def test_issues_and_merge_requests_agree_with_the_api(web: httpx.AsyncClient, scene: Scene) -> None:
    """Ids, titles, authors and pages."""
    issue = (await web.get("/api/v4/projects/1/issues/1")).json()
    merge_request = (await web.get("/api/v4/projects/1/merge_requests/1")).json()
    bodies = bodies_of(scene)
    for name, thing in (("issue-open", issue), ("merge-request-open", merge_request)):
        attributes = bodies[name]["object_attributes"]
        for field in ("id", "iid", "title", "description", "project_id", "state"):
            assert attributes.get(field, 1) == thing[field], (name, field)
        assert attributes["author_id"] == thing["author"]["id"]
        assert attributes["url"] == thing["web_url"]
        assert [label["title"] for label in bodies[name]["labels"]] == thing["labels"]
    assert bodies["merge-request-open"]["object_attributes"]["last_commit"]["id"] == merge_request["sha"]
    assert bodies["push"]["after"] == merge_request["sha"]
    assert bodies["push"]["ref"] == f"refs/heads/{merge_request['source_branch']}"


@pytest.mark.parametrize(
    ("name", "kind"), [("note-issue", "issues"), ("note-merge-request", "merge_requests")]
)
async def test_notes_are_on_record(web: httpx.AsyncClient, scene: Scene, name: str, kind: str) -> None:
    """The note that the event tells of can be asked for."""
    attributes = bodies_of(scene)[name]["object_attributes"]
    note = (await web.get(f"/api/v4/projects/1/{kind}/1/notes/{attributes['id']}")).json()
    assert (note["body"], note["author"]["id"]) == (attributes["note"], attributes["author_id"])
    assert note["noteable_type"] == attributes["noteable_type"]


async def test_every_event_is_of_the_same_project(web: httpx.AsyncClient, scene: Scene) -> None:
    """With the address of the project's page; some events name the project flatly, or only its group."""
    project = (await web.get("/api/v4/projects/1")).json()
    namespace = project["namespace"]
    for body in bodies_of(scene).values():
        if body.get("project") is not None:
            for field in ("id", "name", "web_url", "path_with_namespace", "default_branch"):
                assert body["project"][field] == project[field]
            assert body["project"]["git_http_url"] == project["http_url_to_repo"]
        assert body.get("project_id", 1) == project["id"]
        assert body.get("group_id", namespace["id"]) in (namespace["id"], SUBGROUP_ID)
        assert body.get("project_namespace_id", namespace["id"]) == namespace["id"]


def test_no_bot_acts_in_a_sample(scene: Scene) -> None:
    """Bots that leave bots alone answer to every sample."""
    for body in bodies_of(scene).values():
        person = body.get("user", {}).get("username") or body.get("user_username") or "fern"
        assert person in ("fern", "basil")


def test_payloads_of_our_own_have_all_the_keys_of_published_ones() -> None:
    """So that a clone alone compares as much. Nothing is compared where none are published."""
    for name, own in OWN["named"].items():
        theirs = payload(name)
        assert own.keys() >= theirs.keys(), name
        assert set(own.get("object_attributes") or {}) >= set(theirs.get("object_attributes") or {}), name
    system = {one.get("event_name"): one.keys() for one in OWN["system"]}
    for theirs in system_payloads():
        assert system[theirs.get("event_name")] >= theirs.keys()


def test_a_state_change_says_what_was_before(scene: Scene) -> None:
    """Opened, closed, reopened, merged: one story."""
    bodies = bodies_of(scene)
    chain = [bodies[name] for name in ("issue-open", "issue-close", "issue-reopen")]
    for before, after in pairwise(chain):
        change = after["changes"]["state_id"]
        assert change["previous"] == before["object_attributes"]["state_id"]
        assert change["current"] == after["object_attributes"]["state_id"]
    assert bodies["merge-request-merge"]["object_attributes"]["state"] == "merged"


@pytest.mark.parametrize(
    ("name", "published", "not_ours"),
    [
        ("issue-open", "issue", {"assignee"}),  # gone from GitLab since 14
        ("note-issue", "note_issue", set()),
        ("note-merge-request", "note_merge_request", set()),
        ("note-commit", "note_commit", set()),
        ("note-snippet", "note_snippet", set()),
        ("merge-request-open", "merge_request", set()),
        ("service-merge-request", "service_merge_request", set()),
        ("push", "push", set()),
        ("tag-push", "tag_push", set()),
        ("pipeline", "pipeline", {"source_pipeline"}),  # only for pipelines that another started
        ("job", "job", set()),
        ("deployment", "deployment", set()),
        ("release", "release", set()),
        ("wiki-page-create", "wiki_page", set()),
        ("access-token-group", "resource_access_token_group", set()),
        ("member-add", "member", set()),
        ("subgroup-create", "subgroup", set()),
    ],
)
def test_samples_have_the_parts_that_published_payloads_have(
    scene: Scene, name: str, published: str, not_ours: set[str]
) -> None:
    """The keys only: the values are our own."""
    theirs = payload(published)
    ours = SAMPLES[name].build(scene)
    assert theirs.keys() - ours.keys() == not_ours
    assert set(theirs.get("object_attributes") or {}) - set(ours.get("object_attributes") or {}) <= GONE


@pytest.mark.parametrize("theirs", system_payloads(), ids=lambda one: one.get("event_name", "nameless"))
def test_system_samples_have_the_parts_that_published_payloads_have(
    scene: Scene, theirs: dict[str, Any]
) -> None:
    """Told apart by event_name, or by the kind where there is none."""
    kinds = [theirs.get("event_name"), theirs.get("object_kind") if "event_name" not in theirs else None]
    ours = [
        body
        for name, body in bodies_of(scene).items()
        if name.startswith("system-")
        and [body.get("event_name"), body.get("object_kind") if "event_name" not in body else None] == kinds
    ]
    assert len(ours) == 1
    assert theirs.keys() - ours[0].keys() <= GONE
