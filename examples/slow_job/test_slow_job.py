from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import slow_job

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from pytest_hookyard import Deliver, GitLabEmulator


@pytest.fixture
def hookyard_router() -> Router:
    return slow_job.router


@pytest.fixture(autouse=True)
def _third_party(gitlab_emulator: GitLabEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the emulator run the jobs, and call back to a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(slow_job, "CALLBACK_PORT", port)
    monkeypatch.setattr(slow_job, "JOBS_URL", f"{gitlab_emulator.url}/api/endpoint")
    gitlab_emulator.call_back(f"http://127.0.0.1:{port}/", delay_s=0.1)


def test_sets_the_status_when_the_job_is_done(deliver: Deliver) -> None:
    done = deliver("push")
    assert done.state == "succeeded"
    assert done.calls[-1].body == {"name": "slow-job", "state": "success"}


def test_a_second_run_starts_no_second_job(deliver: Deliver) -> None:
    done = deliver("push")
    assert [call.method for call in deliver.again(done).calls] == ["GET"]


def test_starts_the_job_again_when_gitlab_did_not_take_the_status(
    deliver: Deliver, gitlab_emulator: GitLabEmulator
) -> None:
    gitlab_emulator.fail(method="POST", path="/api/v4/", calls=1, status=500)
    done = deliver("push")
    assert done.state == "succeeded"
    assert done.attempt_of("run_job").number == 2


def test_ignores_a_deleted_branch(deliver: Deliver) -> None:
    done = deliver("push-branch-delete")
    assert done.state == "succeeded"
    assert done.calls == ()
