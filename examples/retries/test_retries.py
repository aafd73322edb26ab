from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import retries

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from pytest_hookyard import Deliver, GitLabEmulator


@pytest.fixture
def hookyard_router() -> Router:
    return retries.router


def job_is(gitlab: GitLabEmulator, status: str, *, name: str = "unit") -> None:
    job = gitlab.state.projects[1].pipelines[81].jobs[91]
    job.status, job.name = status, name


def notes_of(gitlab: GitLabEmulator) -> list[str]:
    notes = gitlab.state.projects[1].merge_requests[1].notes.values()
    return [note.body for note in notes if note.body.startswith(retries.MARKER)]


def test_mentions_the_owner_of_the_failed_job(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    job_is(gitlab_emulator, "failed")
    assert deliver("pipeline-failed").state == "succeeded"
    assert notes_of(gitlab_emulator) == [f"{retries.MARKER}\n- `unit` failed, @basil"]


def test_edits_its_note_instead_of_adding_another(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    job_is(gitlab_emulator, "failed")
    done = deliver("pipeline-failed")
    assert [call.method for call in deliver.again(done).calls] == ["GET", "GET"]
    job_is(gitlab_emulator, "failed", name="lint")
    assert [call.method for call in deliver("pipeline-failed").calls] == ["GET", "GET", "PUT"]
    assert notes_of(gitlab_emulator) == [f"{retries.MARKER}\n- `lint` failed, @fern"]


def test_waits_until_gitlab_lists_the_failed_job(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    job_is(gitlab_emulator, "running")
    done = deliver("pipeline-failed", runs=1)
    assert done.state == "retrying"
    assert "does not list a failed job yet" in (done.attempt_of("report").error or "")


def test_gives_up_when_nobody_owns_the_job(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    job_is(gitlab_emulator, "failed", name="docs")
    done = deliver("pipeline-failed")
    assert done.state == "failed"
    assert done.attempt_of("report").number == 1
    assert "complete OWNERS" in (done.error or "")


def test_survives_a_busy_gitlab(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    job_is(gitlab_emulator, "failed")
    gitlab_emulator.fail(method="POST", calls=2, status=503)
    assert deliver("pipeline-failed").attempt_of("report").number == 3
    assert len(notes_of(gitlab_emulator)) == 1
