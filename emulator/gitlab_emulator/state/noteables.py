"""Issues and merge requests, with the notes and emoji on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gitlab_emulator.state.code import sha_of

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.state.code import Commit, FileChange


@dataclass(kw_only=True)
class Award:
    """An emoji that somebody put on an issue, a merge request or a note."""

    id: int
    name: str
    user_id: int
    created_at: datetime


@dataclass(kw_only=True)
class Note:
    """A comment on an issue or a merge request, as plain text.

    `kind` is None for one that stands alone, DiscussionNote or DiffNote for one in a discussion; all
    notes of a discussion share its id. `position` is where in the difference a DiffNote stands.
    """

    id: int
    author_id: int
    body: str
    created_at: datetime
    updated_at: datetime
    internal: bool = False
    system: bool = False
    kind: str | None = None
    discussion_id: str = ""
    position: dict[str, Any] | None = None
    resolved_at: datetime | None = None
    resolved_by_id: int | None = None
    awards: dict[int, Award] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.discussion_id = self.discussion_id or sha_of(f"discussion {self.id}")


@dataclass(kw_only=True)
class Issue:
    """An issue; `iid` counts within its project, `id` over all. State: opened, closed."""

    id: int
    iid: int
    project_id: int
    title: str
    description: str | None
    author_id: int
    created_at: datetime
    updated_at: datetime
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    assignee_ids: list[int] = field(default_factory=list)
    confidential: bool = False
    closed_at: datetime | None = None
    closed_by_id: int | None = None
    last_edited_at: datetime | None = None
    last_edited_by_id: int | None = None
    updated_by_id: int | None = None
    notes: dict[int, Note] = field(default_factory=dict)
    awards: dict[int, Award] = field(default_factory=dict)


@dataclass(kw_only=True)
class MergeRequest:
    """A merge request; numbered like issues, but separately. State: opened, closed, merged."""

    id: int
    iid: int
    project_id: int
    title: str
    description: str | None
    author_id: int
    created_at: datetime
    updated_at: datetime
    source_branch: str
    target_branch: str
    commits: list[Commit]
    changes: list[FileChange] = field(default_factory=list)
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    assignee_ids: list[int] = field(default_factory=list)
    reviewer_ids: list[int] = field(default_factory=list)
    approved_by_ids: list[int] = field(default_factory=list)
    closed_at: datetime | None = None
    closed_by_id: int | None = None
    merged_at: datetime | None = None
    merged_by_id: int | None = None
    merge_commit_sha: str | None = None
    last_edited_at: datetime | None = None
    last_edited_by_id: int | None = None
    updated_by_id: int | None = None
    notes: dict[int, Note] = field(default_factory=dict)
    awards: dict[int, Award] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        """The newest commit of the source branch."""
        return self.commits[-1].sha

    @property
    def draft(self) -> bool:
        """Whether its title says that it is not ready yet."""
        return self.title.lower().startswith("draft:")


Noteable = Issue | MergeRequest


def discussions_of(noteable: Noteable) -> dict[str, list[Note]]:
    """The notes by discussion, oldest first; a note that stands alone is a discussion of one."""
    found: dict[str, list[Note]] = {}
    for note in noteable.notes.values():
        found.setdefault(note.discussion_id, []).append(note)
    return found
