"""Which hooks an event meets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.activity import Activity
from gitlab_emulator.hooks.matching import event_header, is_branch_filter, log_name, matching_hooks
from gitlab_emulator.hooks.registration import add_hook
from gitlab_emulator.state import Group, Project

if TYPE_CHECKING:
    from gitlab_emulator.state import State

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def world(state: State) -> State:
    """Project 2 in group 6 in group 5, beside the seed's project 1 in group 5."""
    state.groups[6] = Group(id=6, name="Seeds", full_path="greenhouse/seeds", parent_id=5, created_at=NOW)
    state.projects[2] = Project(
        id=2,
        path_with_namespace="greenhouse/seeds/tray",
        name="Tray",
        namespace_id=6,
        namespace_name="Seeds",
        description="",
        created_at=NOW,
    )
    places: list[dict[str, int]] = [
        {"project_id": 1},
        {"project_id": 2},
        {"group_id": 5},
        {"group_id": 6},
        {},
    ]
    for place in places:
        add_hook(state, url="http://127.0.0.1:9/", now=NOW, switches=["all"], **place)
    return state


def places(state: State, **activity: Any) -> list[str]:
    hooks = matching_hooks(state, Activity(body={}, **activity), NOW)
    return [
        f"p{hook.project_id}" if hook.project_id else f"g{hook.group_id}" if hook.group_id else "system"
        for hook in hooks
    ]


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        ({"trigger": "issues", "project_id": 1}, ["p1", "g5"]),
        ({"trigger": "issues", "project_id": 2}, ["p2", "g5", "g6"]),
        ({"trigger": "push", "project_id": 2}, ["p2", "g5", "g6", "system"]),
        ({"trigger": "merge_requests", "project_id": 1}, ["p1", "g5", "system"]),
        ({"trigger": "member", "group_id": 6}, ["g5", "g6"]),
        ({"trigger": "member", "group_id": 5}, ["g5"]),
        ({"trigger": "project_create"}, ["system"]),
        ({"trigger": "repository_update"}, ["system"]),
        ({"trigger": "issues", "project_id": 99}, []),
    ],
)
def test_an_event_meets_the_hooks_of_its_project_its_groups_and_the_instance(
    world: State, activity: dict[str, Any], expected: list[str]
) -> None:
    assert places(world, **activity) == expected


def test_a_switch_that_is_off_keeps_the_event_out(state: State) -> None:
    add_hook(state, url="http://127.0.0.1:9/", now=NOW, project_id=1, switches=["note"])
    add_hook(state, url="http://127.0.0.1:9/", now=NOW)
    assert places(state, trigger="issues", project_id=1) == []
    assert places(state, trigger="confidential_note", project_id=1) == []
    assert places(state, trigger="note", project_id=1) == ["p1"]
    assert places(state, trigger="push", project_id=1) == []


def test_a_disabled_hook_is_left_out(state: State) -> None:
    hook = add_hook(state, url="http://127.0.0.1:9/", now=NOW, project_id=1, switches=["all"])
    hook.recent_failures = 40
    assert places(state, trigger="issues", project_id=1) == []


@pytest.mark.parametrize(
    ("strategy", "wanted", "branch", "meets"),
    [
        ("wildcard", None, "main", True),
        ("wildcard", "", "main", True),
        ("wildcard", "main", "main", True),
        ("wildcard", "main", "maintenance", False),
        ("wildcard", "release/*", "release/1.2", True),
        ("wildcard", "release/*", "prerelease/1.2", False),
        ("wildcard", "*-stable", "15-2-stable", True),
        ("wildcard", "a*b*c", "abc", True),
        ("wildcard", "a*b*b", "ab", False),
        ("wildcard", "*", "anything/at/all", True),
        ("wildcard", "*a" * 200, "a" * 199 + "b", False),
        ("wildcard", "v1.2", "v1x2", False),
        ("regex", "^(main|release-\\d+)$", "release-7", True),
        ("regex", "^main", "not-main", False),
        ("all_branches", "main", "other", True),
    ],
)
def test_pushes_are_filtered_by_branch(
    state: State, strategy: str, wanted: str | None, branch: str, *, meets: bool
) -> None:
    add_hook(
        state,
        url="http://127.0.0.1:9/",
        now=NOW,
        project_id=1,
        switches=["push", "tag_push"],
        push_events_branch_filter=wanted,
        branch_filter_strategy=strategy,
    )
    assert places(state, trigger="push", project_id=1, ref=f"refs/heads/{branch}") == (
        ["p1"] if meets else []
    )
    assert places(state, trigger="tag_push", project_id=1, ref="refs/tags/v1") == ["p1"]


@pytest.mark.parametrize(
    ("text", "strategy", "taken"),
    [
        ("feature/*", "wildcard", True),
        ("~no~", "wildcard", False),
        ("a b", "wildcard", False),
        ("a..b", "wildcard", False),
        ("(", "regex", False),
        ("(?=x)", "regex", False),
        (r"(a)\1", "regex", False),
        ("x" * 10, "regex", True),
    ],
)
def test_a_filter_that_gitlab_cannot_use_is_none(text: str, strategy: str, *, taken: bool) -> None:
    assert is_branch_filter(text, strategy) is taken


@pytest.mark.parametrize(
    ("trigger", "name", "header"),
    [
        ("push", "push_hooks", "Push Hook"),
        ("issues", "issue_hooks", "Issue Hook"),
        ("confidential_issues", "confidential_issue_hooks", "Confidential Issue Hook"),
        ("merge_requests", "merge_request_hooks", "Merge Request Hook"),
        ("releases", "release_hooks", "Release Hook"),
        ("wiki_page", "wiki_page_hooks", "Wiki Page Hook"),
        ("resource_access_token", "resource_access_token_hooks", "Resource Access Token Hook"),
    ],
)
def test_kinds_have_gitlabs_names(state: State, trigger: str, name: str, header: str) -> None:
    ours = add_hook(state, url="http://127.0.0.1:9/", now=NOW, project_id=1)
    of_system = add_hook(state, url="http://127.0.0.1:9/", now=NOW)
    assert (log_name(trigger, ours), event_header(name)) == (name, header)
    assert event_header(log_name(trigger, of_system)) == "System Hook"
