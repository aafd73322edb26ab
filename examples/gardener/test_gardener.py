from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import gardener
import pytest

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from pytest_hookyard import Deliver, GitLabEmulator, RunningHookyard


@pytest.fixture
def hookyard_router() -> Router:
    return gardener.bot


def test_obeys_commands_in_comments(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    text = "Thanks!\n/label hardware\n/close"
    done = deliver("note-issue", amend={"object_attributes.note": text})
    assert done.attempt_of("obey").result == '["/label hardware", "/close"]'
    issue = gitlab_emulator.state.projects[1].issues[1]
    assert (issue.state, "hardware" in issue.labels) == ("closed", True)


def test_labels_by_changed_files(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    assert deliver("merge-request-open").attempt_of("label").outcome == "succeeded"
    assert "python" in gitlab_emulator.state.projects[1].merge_requests[1].labels


def test_asks_somebody_else_for_a_review(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    gitlab_emulator.state.projects[1].merge_requests[1].reviewer_ids = []
    done = deliver("merge-request-open")
    assert done.attempt_of("assign_reviewer").outcome == "succeeded"
    merge_request = gitlab_emulator.state.projects[1].merge_requests[1]
    assert len(merge_request.reviewer_ids) == 1
    assert merge_request.author_id not in merge_request.reviewer_ids


def test_merges_when_the_pipeline_has_passed(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    project = gitlab_emulator.state.projects[1]
    pipeline = max(project.pipelines.values(), key=lambda one: one.id)
    job = pipeline.latest_jobs[0]
    job.status = "running"
    waits = deliver("merge-request-approved", runs=1)
    assert waits.state == "waiting"
    assert waits.error is not None
    assert "is running" in waits.error
    job.status = "success"
    (done,) = deliver.forward(300)
    assert done.attempt_of("merge").result == '"merged"'
    assert project.merge_requests[1].state == "merged"


def test_tells_of_a_merge_once(deliver: Deliver, hookyard: RunningHookyard) -> None:
    first = deliver("merge-request-merge")
    second = deliver("merge-request-merge")
    assert first.enqueued == second.enqueued
    told = [one for one in hookyard.deliveries() if one.event.startswith("task:")]
    assert [one.state for one in told] == ["succeeded"]


def test_closes_stale_issues(
    deliver: Deliver, hookyard: RunningHookyard, gitlab_emulator: GitLabEmulator
) -> None:
    issue = gitlab_emulator.state.projects[1].issues[1]
    issue.updated_at = datetime.now(UTC) - timedelta(days=90)
    assert deliver.tick("close_stale").attempt_of("close_stale").result == "1"
    hookyard.deliveries()
    assert issue.state == "closed"


def test_syncs_labels_at_night(deliver: Deliver, hookyard: RunningHookyard) -> None:
    count = len(deliver.tick("sync").enqueued)
    assert count > 0
    done = [one for one in hookyard.deliveries() if one.event.startswith("task:")]
    assert [one.state for one in done] == ["succeeded"] * count


def test_deploys_the_latest_push(deliver: Deliver) -> None:
    done = deliver("merge-request-update")
    assert done.attempt_of("deploy_review").outcome == "succeeded"
    assert [call.path for call in done.calls if "/statuses/" in call.path]
