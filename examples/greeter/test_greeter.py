from __future__ import annotations

from typing import TYPE_CHECKING

import greeter
import pytest

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from pytest_hookyard import Deliver, GitLabEmulator


@pytest.fixture
def hookyard_router() -> Router:
    return greeter.router


def test_greets_the_reporter(deliver: Deliver) -> None:
    done = deliver("issue-open")
    assert done.state == "succeeded"
    assert [call.body for call in done.calls] == [{"body": "Thank you for the report, @basil!"}]


def test_greets_nobody_when_an_issue_is_closed(deliver: Deliver) -> None:
    assert deliver("issue-close").state == "ignored"


def test_retries_while_gitlab_is_down(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    gitlab_emulator.fail(calls=2, status=500)
    assert deliver("issue-open").attempt_of("greet").number == 3
