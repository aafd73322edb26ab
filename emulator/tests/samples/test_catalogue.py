"""All samples: every kind of event has one, and each says what it is the way GitLab does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gidgetlab.routing
import pytest
from gidgetlab.sansio import Event
from gitlab_emulator.hooks.model import GROUP_SWITCHES
from gitlab_emulator.hooks.request import encode
from gitlab_emulator.samples.catalogue import SAMPLES, closest
from gitlab_emulator.samples.kinds import header_of
from gitlab_emulator.seed import seed

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Scene

# X-Gitlab-Event, and what else tells a sample from others: paths into its body.
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "Push Hook": {"object_kind": "push", "event_name": "push"},
    "Tag Push Hook": {"object_kind": "tag_push", "event_name": "tag_push"},
    "Issue Hook": {"object_kind": {"issue", "work_item"}, "event_type": {"issue", "work_item"}},
    "Confidential Issue Hook": {
        "object_kind": {"issue", "work_item"},
        "event_type": {"confidential_issue", "confidential_work_item"},
        "object_attributes.confidential": True,
    },
    "Note Hook": {"object_kind": "note", "event_type": "note"},
    "Confidential Note Hook": {"object_kind": "note", "event_type": "confidential_note"},
    "Merge Request Hook": {"object_kind": "merge_request", "event_type": "merge_request"},
    "Wiki Page Hook": {
        "object_kind": "wiki_page",
        "object_attributes.action": {"create", "update", "delete"},
    },
    "Pipeline Hook": {"object_kind": "pipeline", "object_attributes.action": None},
    "Job Hook": {"object_kind": "build", "object_attributes": None},
    "Build Hook": {"object_kind": "build", "object_attributes": None},
    "Deployment Hook": {"object_kind": "deployment", "object_attributes": None},
    "Feature Flag Hook": {"object_kind": "feature_flag", "object_attributes.active": {True, False}},
    "Release Hook": {"object_kind": "release", "action": {"create", "update", "delete"}},
    "Milestone Hook": {"object_kind": "milestone", "action": {"create", "close", "reopen", "delete"}},
    "Emoji Hook": {"object_kind": "emoji", "event_type": {"award", "revoke"}},
    "Resource Access Token Hook": {"object_kind": "access_token", "event_name": "expiring_access_token"},
    "Resource Deploy Token Hook": {"object_kind": "deploy_token", "event_name": "expiring_deploy_token"},
    "Vulnerability Hook": {
        "object_kind": "vulnerability",
        "project": None,
        "object_attributes.project_id": 1,
    },
    "Member Hook": {
        "object_kind": None,
        "event_name": {
            *("user_add_to_group", "user_update_for_group", "user_remove_from_group"),
            *("user_access_request_to_group", "user_access_request_denied_for_group"),
        },
    },
    "Project Hook": {"object_kind": None, "event_name": {"project_create", "project_destroy"}},
    "Subgroup Hook": {"object_kind": None, "event_name": {"subgroup_create", "subgroup_destroy"}},
    "Service Hook": {"object_kind": {"push", "merge_request", "pipeline"}},
    "System Hook": {},
}
SYSTEM_EVENTS = {
    *("group_create", "group_destroy", "group_rename", "key_create", "key_destroy"),
    *("project_create", "project_destroy", "project_rename", "project_transfer", "project_update"),
    *("repository_update", "push", "tag_push"),
    *("user_create", "user_destroy", "user_rename", "user_failed_login"),
    *("user_add_to_group", "user_update_for_group", "user_remove_from_group"),
    *("user_add_to_team", "user_update_for_team", "user_remove_from_team"),
    *("user_access_request_to_group", "user_access_request_revoked_for_group"),
    *("user_access_request_to_project", "user_access_request_revoked_for_project"),
}


def bodies_of(scene: Scene, event: str | None = None) -> dict[str, dict[str, Any]]:
    """All samples, or those with one header, as a receiver reads them."""
    wanted = {name: one for name, one in SAMPLES.items() if event in (None, one.event)}
    return {name: json.loads(encode(sample.build(scene))) for name, sample in wanted.items()}


def at(body: Any, path: str) -> Any:
    """What is there; None where the way ends."""
    for part in path.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body


def test_every_header_of_gitlabs_has_a_sample() -> None:
    """And there is none that GitLab does not have."""
    assert {sample.event for sample in SAMPLES.values()} == DISCRIMINATORS.keys()
    assert len(DISCRIMINATORS) == 24


@pytest.mark.parametrize("event", DISCRIMINATORS)
def test_every_body_says_what_it_is(scene: Scene, event: str) -> None:
    """With the fields that tell one kind from another, and with every value that they can have."""
    for path, wanted in DISCRIMINATORS[event].items():
        bodies = {name: body for name, body in bodies_of(scene, event).items() if name != "custom-template"}
        found = {at(body, path) for body in bodies.values()}
        assert found == (wanted if isinstance(wanted, set) else {wanted}), path


def test_system_hooks_have_all_their_events(scene: Scene) -> None:
    """Most have an event_name; merge requests and member approvals are told by their kind."""
    bodies = list(bodies_of(scene, "System Hook").values())
    assert {body.get("event_name") for body in bodies} == {*SYSTEM_EVENTS, None}
    nameless = {(body["object_kind"], body.get("action")) for body in bodies if "event_name" not in body}
    assert nameless == {
        ("merge_request", None),
        ("gitlab_subscription_member_approval", "enqueue"),
        ("gitlab_subscription_member_approvals", "approve"),
        ("gitlab_subscription_member_approvals", "deny"),
    }
    assert all(body["commits"] == [] for body in bodies if body.get("object_kind") in ("push", "tag_push"))


def test_merge_requests_have_all_their_actions(scene: Scene) -> None:
    """`oldrev` stands in the update alone that a push made."""
    bodies = bodies_of(scene, "Merge Request Hook")
    actions = {body["object_attributes"]["action"] for body in bodies.values()}
    assert actions == {
        *("open", "close", "reopen", "update", "merge"),
        *("approval", "approved", "unapproval", "unapproved"),
    }
    assert [name for name, body in bodies.items() if "oldrev" in body["object_attributes"]] == [
        "merge-request-update"
    ]
    system = bodies["merge-request-approvals-reset"]["object_attributes"]
    assert (system["system"], system["system_action"]) == (True, "approvals_reset_on_push")


def test_changes_agree_with_what_is_there_now(scene: Scene) -> None:
    """Whatever a change says is current stands in the object too."""
    for name, body in bodies_of(scene).items():
        changes = body.get("changes")
        if not isinstance(changes, dict):
            continue
        opened = body["object_attributes"].get("action") == "open" and "merge_request" in body["object_kind"]
        assert changes or opened or "approv" in name, name
        for field, change in changes.items():
            now = {**body, **body["object_attributes"]}
            if field in now and not isinstance(now[field], list):
                assert change["current"] == now[field], (name, field)
            assert change["previous"] != change["current"], (name, field)


def test_notes_are_on_everything_that_has_notes(scene: Scene) -> None:
    """The object comes along under its own name."""
    found = {
        (body["object_attributes"]["noteable_type"], body["object_attributes"]["action"])
        for event in ("Note Hook", "Confidential Note Hook")
        for body in bodies_of(scene, event).values()
    }
    kinds = {"Issue": "issue", "MergeRequest": "merge_request", "Commit": "commit", "Snippet": "snippet"}
    assert found == {*((kind, "create") for kind in kinds), ("Issue", "update")}
    for body in bodies_of(scene, "Note Hook").values():
        own = kinds[body["object_attributes"]["noteable_type"]]
        assert body.keys() & set(kinds.values()) == {own}
        assert body[own]["id"] == (
            body["object_attributes"]["noteable_id"] or body["object_attributes"]["commit_id"]
        )


def test_work_items_come_under_the_headers_of_issues(scene: Scene) -> None:
    """Their kind is work_item, their type tells which."""
    bodies = {**bodies_of(scene, "Issue Hook"), **bodies_of(scene, "Confidential Issue Hook")}
    types = {
        (body["object_kind"], body["object_attributes"]["type"])
        for body in bodies.values()
        if "object_kind" in body
    }
    assert types == {
        *(("issue", "Issue"), ("work_item", "Task")),
        *(("work_item", "Incident"), ("work_item", "Epic")),
    }
    assert bodies["epic-open"]["project"] is None


def test_tokens_belong_to_a_project_or_to_a_group(scene: Scene) -> None:
    """Never to both."""
    for event in ("Resource Access Token Hook", "Resource Deploy Token Hook"):
        owners = sorted(
            tuple(body.keys() & {"project", "group"}) for body in bodies_of(scene, event).values()
        )
        assert owners == [("group",), ("project",)]


def test_a_custom_template_leaves_nothing_but_the_header(scene: Scene) -> None:
    """A bot that reads the body for its kind finds none."""
    assert bodies_of(scene)["custom-template"].keys() == {"text", "link"}


def test_every_sample_is_an_event_of_gidgetlabs(scene: Scene) -> None:
    """Parsed from headers and bytes, as a receiver does; its project is the seeded one, if it has any."""
    for name, sample in SAMPLES.items():
        headers = {"x-gitlab-event": sample.event, "content-type": "application/json"}
        event = Event.from_http(headers, encode(sample.build(scene)))
        assert event.event == sample.event
        assert isinstance(event.data, dict), name
        if isinstance(event.data.get("project"), dict):
            assert event.project_id == 1, name


async def test_gidgetlabs_router_can_match_every_sample(scene: Scene) -> None:
    """None of them trips it up, with a filter or without."""
    for name, sample in SAMPLES.items():
        heard: list[str] = []
        router = gidgetlab.routing.Router()

        async def handler(event: Event, heard: list[str] = heard) -> None:
            heard.append(event.event)

        router.add(handler, sample.event)
        router.add(handler, sample.event, action="something else")
        await router.dispatch(Event(sample.build(scene), event=sample.event))
        assert heard == [sample.event], name


def test_every_sample_says_which_switch_wants_it() -> None:
    """Those of integrations and of system hooks hang on none."""
    for sample in SAMPLES.values():
        if sample.event in ("Service Hook", "System Hook"):
            assert sample.trigger == ""
        else:
            assert sample.trigger in GROUP_SWITCHES
    assert {sample.trigger for sample in SAMPLES.values()} == {*GROUP_SWITCHES, ""}


def test_a_body_is_sent_under_the_header_that_it_tells(scene: Scene) -> None:
    """As far as it does: those without object_kind do not, nor those of integrations."""
    for name, body in bodies_of(scene).items():
        event = SAMPLES[name].event
        if event not in ("Service Hook", "System Hook", "Build Hook"):
            assert header_of(body) == (event if "object_kind" in body else None), name


@pytest.mark.parametrize(
    "body", [None, [], "push", 7, {"object_kind": None}, {"object_kind": ["push"]}, {"object_kind": "new"}]
)
def test_a_body_that_tells_nothing_has_no_header(body: object) -> None:
    """Whatever it is."""
    assert header_of(body) is None


def test_making_samples_changes_nothing(scene: Scene) -> None:
    """Neither the world nor the sample that is made next."""
    first, second = bodies_of(scene), bodies_of(scene)
    assert first == second
    assert scene.state == seed()


def test_names_and_summaries_are_fit_for_a_command_line() -> None:
    """Lower case with dashes; a sentence that ends."""
    assert all(name == name.lower() and name.replace("-", "").isalnum() for name in SAMPLES)
    assert all(sample.summary.endswith(".") and len(sample.summary) < 100 for sample in SAMPLES.values())


@pytest.mark.parametrize(
    ("given", "meant"), [("issue-opened", "issue-open"), ("MERGE-REQUEST-OPENED", "merge-request-open")]
)
def test_a_misspelt_name_leads_to_the_one_that_was_meant(given: str, meant: str) -> None:
    """And one like none leads nowhere."""
    assert closest(given) == meant
    assert closest("zzz") is None
