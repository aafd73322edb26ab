from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import labeler
import pytest

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from pytest_hookyard import Deliver, GitLabEmulator


@pytest.fixture
def hookyard_router() -> Router:
    return labeler.router


def test_labels_by_changed_files(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    assert deliver("merge-request-open").state == "succeeded"
    merge_request = gitlab_emulator.state.projects[1].merge_requests[1]
    assert merge_request.labels == ["hardware", "python"]


def test_reads_every_page_of_changes(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    merge_request = gitlab_emulator.state.projects[1].merge_requests[1]
    code = merge_request.changes[0]
    merge_request.changes = [code] * 120 + [replace(code, path="docs/tank.md")]
    assert deliver("merge-request-open").state == "succeeded"
    assert merge_request.labels == ["documentation", "hardware", "python"]


def test_a_second_run_changes_nothing(deliver: Deliver, gitlab_emulator: GitLabEmulator) -> None:
    done = deliver("merge-request-open")
    deliver.again(done)
    assert gitlab_emulator.state.projects[1].merge_requests[1].labels == ["hardware", "python"]


@pytest.mark.parametrize(
    ("path", "labels"),
    [("docs/index.md", {"documentation"}), ("ci/test.py", {"ci", "python"}), ("LICENSE", set[str]())],
)
def test_labels_of_a_path(path: str, labels: set[str]) -> None:
    assert labeler.labels_of(path) == labels
