"""What a sample event is about: who did what to which object, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from emulator.state import Commit, Issue, MergeRequest, Note, Noteable, Project, State, User

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The objects that an event names. `base_url` has no slash at the end; `now` is when it happens.

    `reporter` writes issues and notes on them, `maintainer` does the rest; neither is a bot.
    """

    state: State
    project: Project
    issue: Issue
    merge_request: MergeRequest
    reporter: User
    maintainer: User
    base_url: str
    now: datetime

    @property
    def commit(self) -> Commit:
        """The commit that pushes and pipelines are about."""
        return self.merge_request.commits[-1]

    def newest_note(self, on: Noteable) -> Note:
        """The last note that a person wrote on it; LookupError when there is none."""
        by_people = [note for note in on.notes.values() if not self.state.users[note.author_id].bot]
        return by_people[-1]


def scene_of(state: State, *, base_url: str, now: datetime) -> Scene:
    """The first project with its first issue and merge request, and their authors.

    Raises StopIteration when the state has none of these.
    """
    project = next(iter(state.projects.values()))
    issue = next(iter(project.issues.values()))
    merge_request = next(iter(project.merge_requests.values()))
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
