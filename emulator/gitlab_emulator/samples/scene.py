"""The context of an event: project, time and user; for samples also the objects they use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitlab_emulator.state import Group

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.state import (
        Commit,
        Issue,
        MergeRequest,
        Note,
        Noteable,
        Pipeline,
        Project,
        State,
        User,
    )

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """In which project, and when. `base_url` has no slash at the end."""

    state: State
    project: Project
    base_url: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Act(Setting):
    """Somebody does something there: what the API's acts and the samples make their bodies from."""

    user: User


@dataclass(frozen=True, kw_only=True)
class Scene(Setting):
    """The objects that samples name.

    `reporter` writes issues and notes on them, `maintainer` does the rest; neither is a bot.
    """

    issue: Issue
    merge_request: MergeRequest
    reporter: User
    maintainer: User

    @property
    def commit(self) -> Commit:
        """The commit that pushes and pipelines are about."""
        return self.merge_request.commits[-1]

    @property
    def pipeline(self) -> Pipeline:
        """The project's first pipeline; StopIteration when there is none."""
        return next(iter(self.project.pipelines.values()))

    @property
    def group(self) -> Group:
        """The group that the project is in; for an account's own project one made of its namespace."""
        project = self.project
        return next(self.state.groups_above(project), None) or Group(
            id=project.namespace_id,
            name=project.namespace_name,
            full_path=project.namespace_path,
            created_at=project.created_at,
        )

    def by(self, user: User) -> Act:
        """This person doing something here."""
        return Act(state=self.state, project=self.project, base_url=self.base_url, now=self.now, user=user)

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
