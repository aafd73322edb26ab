"""Making and changing hooks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.hooks.registration import add_hook, change_hook
from gitlab_emulator.hooks.validation import HookError
from receiving import SIGNING_TOKEN

if TYPE_CHECKING:
    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.state import State

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "http://127.0.0.1:9/"


def made(state: State, **attributes: Any) -> Hook:
    return add_hook(state, **{"url": URL, "now": NOW, "project_id": 1, **attributes})


def test_gitlab_turns_on_what_is_usual(state: State) -> None:
    assert made(state).switches == ["push"]
    assert made(state, project_id=None).switches == ["repository_update"]
    assert "member" in made(state, project_id=None, group_id=5, switches=["all"]).switches
    assert "member" not in made(state, switches=["all"]).switches


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"url": ""}, "Invalid url given"),
        ({"url": "ftp://bot.test/"}, "Invalid url given"),
        ({"url": "bot.test"}, "Invalid url given"),
        ({"url": "http://"}, "Invalid url given"),
        ({"url": "http://bot.test:99999/"}, "Invalid url given"),
        ({"url": "http://bot.test/a b"}, "Invalid url given"),
        ({"url": "http://bot.test/\r\nX: y"}, "Invalid url given"),
        ({"url": "http://[::1/"}, "Invalid url given"),
        ({"url": "http://bot.test/{secret}"}, "Invalid url given"),
        ({"url": f"http://bot.test/{'x' * 5000}"}, "Invalid url given"),
        ({"push_events_branch_filter": "~no~"}, "Invalid branch filter given"),
        ({"token": "two\nlines"}, "Token is invalid"),
        (
            {"signing_token": "hunter2"},
            "Signing token must be in whsec_<base64> format encoding a 32-byte key",
        ),
        (
            {"custom_webhook_template": "x" * 4097},
            "Custom webhook template is too long (maximum is 4096 characters)",
        ),
        (
            {"custom_headers": {f"X-{'a' * n}": "v" for n in range(1, 22)}},
            "Custom headers must be a valid json schema",
        ),
        ({"custom_headers": {"no spaces": "v"}}, "Custom headers must be a valid json schema"),
        ({"custom_headers": {"X-A": "v\r\nEvil: 1"}}, "Custom headers must be a valid json schema"),
        ({"name": "x" * 256}, "Name is too long (maximum is 255 characters)"),
    ],
)
def test_what_gitlab_refuses_is_refused_in_its_words(
    state: State, attributes: dict[str, Any], text: str
) -> None:
    with pytest.raises(HookError) as caught:
        made(state, **attributes)
    assert str(caught.value) == text
    assert not state.hooks


@pytest.mark.parametrize(
    ("place", "most", "text"),
    [
        ({"project_id": 1}, 100, "Maximum number of project hooks (100) exceeded"),
        ({"project_id": None, "group_id": 5}, 50, "Maximum number of group hooks (50) exceeded"),
    ],
)
def test_a_place_has_so_many_hooks_and_no_more(
    state: State, place: dict[str, int], most: int, text: str
) -> None:
    for _ in range(most):
        made(state, **place)
    with pytest.raises(HookError, match="exceeded") as caught:
        made(state, **place)
    assert str(caught.value) == text


def test_another_address_does_not_learn_the_secrets(state: State) -> None:
    hook = made(state, token="hush", signing_token=SIGNING_TOKEN, custom_headers={"X-A": "hush"})
    change_hook(hook, url="http://127.0.0.1:10/")
    assert (hook.token, hook.custom_headers) == (None, {})


def test_a_secret_that_comes_with_the_address_stays(state: State) -> None:
    hook = made(state, token="old")
    change_hook(hook, url="http://127.0.0.1:10/", token="new")
    assert hook.token == "new"


def test_the_same_address_keeps_them(state: State) -> None:
    hook = made(state, token="hush", custom_headers={"X-A": "v"})
    change_hook(hook, url=URL, name="Bot")
    assert (hook.token, hook.custom_headers, hook.name) == ("hush", {"X-A": "v"}, "Bot")


def test_a_change_that_is_refused_changes_nothing(state: State) -> None:
    hook = made(state, token="hush")
    before = replace(hook)
    with pytest.raises(HookError):
        change_hook(hook, name="Bot", url="nowhere")
    assert hook == before


def test_secrets_do_not_show_themselves(state: State) -> None:
    hook = made(
        state,
        token="hush-1",
        signing_token=SIGNING_TOKEN,
        custom_headers={"X-A": "hush-2"},
        url_variables={"a": "hush-3"},
    )
    assert "hush" not in repr(hook)
    assert SIGNING_TOKEN not in repr(hook)
