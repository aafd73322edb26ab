"""Samples in a given project: its own objects, or placeholders where it has none.

Pure. A placeholder is made for one sample and not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gitlab_emulator.samples.catalogue import SAMPLES
from gitlab_emulator.samples.scene import Scene
from gitlab_emulator.state import Commit, Issue, MergeRequest, sha_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gitlab_emulator.samples.sample import Sample
    from gitlab_emulator.samples.scene import Json
    from gitlab_emulator.state import Noteable, Project, State

NEEDS = {
    "issues": "Ensure the project has issues.",
    "confidential_issues": "Ensure the project has issues.",
    "merge_requests": "Ensure the project has merge requests.",
    "note": "Ensure the project has notes.",
    "confidential_note": "Ensure the project has notes.",
    "emoji": "Ensure the project has notes.",
    "job": "Ensure the project has CI jobs.",
    "pipeline": "Ensure the project has CI pipelines.",
}
UNAVAILABLE = "Testing not available for this hook"

Item = TypeVar("Item", Issue, MergeRequest)


class NoSampleDataError(Exception):
    """The project lacks what the sample is about; the text says what, in GitLab's words."""


def project_scene(state: State, project: Project, *, base_url: str, now: datetime) -> Scene:
    """The scene of a sample in this project: its newest issue and merge request with a person's note."""
    author = state.users[state.bot_id]
    issue = _liveliest(state, list(project.issues.values())) or Issue(
        id=1,
        iid=1,
        project_id=project.id,
        title="A sample issue",
        description=None,
        author_id=author.id,
        created_at=now,
        updated_at=now,
    )
    merge_request = _liveliest(state, list(project.merge_requests.values())) or MergeRequest(
        id=1,
        iid=1,
        project_id=project.id,
        title="A sample merge request",
        description=None,
        author_id=author.id,
        created_at=now,
        updated_at=now,
        source_branch="sample",
        target_branch=project.default_branch,
        commits=[
            Commit(
                sha=sha_of(f"{project.id}:sample"),
                parent_sha=sha_of(f"{project.id}:{project.default_branch}"),
                message="A sample commit",
                author_id=author.id,
                created_at=now,
            )
        ],
    )
    return Scene(
        state=state,
        project=project,
        issue=issue,
        merge_request=merge_request,
        reporter=state.users[issue.author_id],
        maintainer=state.users[merge_request.author_id],
        base_url=base_url.rstrip("/"),
        now=now,
    )


def body_of(sample: Sample, scene: Scene) -> Json:
    """The sample's body; raises NoSampleDataError when the scene has nothing to make it from."""
    try:
        return sample.build(scene)
    except (LookupError, StopIteration) as error:
        raise NoSampleDataError(NEEDS.get(sample.trigger, UNAVAILABLE)) from error


def body_for_test(trigger: str, scene: Scene) -> Json:
    """What GitLab sends when a hook is tested with this switch; NoSampleDataError as GitLab does."""
    project = scene.project
    missing = {
        "issues": not project.issues,
        "confidential_issues": not project.issues,
        "merge_requests": not project.merge_requests,
        "pipeline": not project.pipelines,
        "job": not project.pipelines,
    }
    sample = next((one for one in SAMPLES.values() if one.trigger == trigger), None)
    if missing.get(trigger) or sample is None:
        raise NoSampleDataError(NEEDS.get(trigger, UNAVAILABLE))
    if trigger == "note" and not _has_peoples_notes(scene.state, scene.issue):
        sample = SAMPLES["note-merge-request"]
    return body_of(sample, scene)


def _liveliest(state: State, items: Sequence[Item]) -> Item | None:
    """The newest that a person has commented on, else the newest."""
    commented = [item for item in items if _has_peoples_notes(state, item)]
    return max(commented or items, key=lambda item: item.iid, default=None)


def _has_peoples_notes(state: State, item: Noteable) -> bool:
    return any(not state.users[note.author_id].bot for note in item.notes.values())
