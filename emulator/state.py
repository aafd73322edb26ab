"""What is in this GitLab: users and projects, with their issues, merge requests and notes.

Plain dataclasses that hold only values and each other, never a reference sideways (users and
projects are named by id), so that the whole can be written to a file as it stands. Times are aware
datetimes in UTC and come in as `now`; nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(kw_only=True)
class User:
    """An account. `bot` marks accounts whose notes the pages set off."""

    id: int
    username: str
    name: str
    email: str
    created_at: datetime
    bot: bool = False


@dataclass(kw_only=True)
class Note:
    """A comment on an issue or a merge request, as plain text."""

    id: int
    author_id: int
    body: str
    created_at: datetime
    updated_at: datetime
    internal: bool = False
    system: bool = False


@dataclass(kw_only=True)
class Commit:
    """A commit; `sha` has 40 hex digits."""

    sha: str
    parent_sha: str
    message: str
    author_id: int
    created_at: datetime
    added: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class FileChange:
    """One file's difference between a merge request's target and source branch."""

    path: str
    diff: str


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
    notes: dict[int, Note] = field(default_factory=dict)


@dataclass(kw_only=True)
class MergeRequest:
    """A merge request; numbered like an issue, in a series of its own. State: opened, closed, merged."""

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
    approved_by_ids: list[int] = field(default_factory=list)
    closed_at: datetime | None = None
    closed_by_id: int | None = None
    notes: dict[int, Note] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        """The newest commit of the source branch."""
        return self.commits[-1].sha


Noteable = Issue | MergeRequest


@dataclass(kw_only=True)
class Project:
    """A project with what belongs to it; issues and merge requests are keyed by iid."""

    id: int
    path_with_namespace: str
    name: str
    namespace_id: int
    namespace_name: str
    description: str
    created_at: datetime
    default_branch: str = "main"
    issues: dict[int, Issue] = field(default_factory=dict)
    merge_requests: dict[int, MergeRequest] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The last part of the full path."""
        return self.path_with_namespace.rpartition("/")[2]

    @property
    def namespace_path(self) -> str:
        """All but the last part of the full path."""
        return self.path_with_namespace.rpartition("/")[0]

    def noteables(self) -> Iterator[Noteable]:
        """All issues, then all merge requests, oldest first."""
        yield from self.issues.values()
        yield from self.merge_requests.values()


@dataclass(kw_only=True)
class State:
    """Everything the emulator keeps. `bot_id` is the account that an access token belongs to."""

    users: dict[int, User]
    projects: dict[int, Project]
    bot_id: int
    last_ids: dict[str, int] = field(default_factory=dict)

    def next_id(self, kind: str) -> int:
        """A number that nothing of this kind has had yet."""
        self.last_ids[kind] = self.last_ids.get(kind, 100) + 1
        return self.last_ids[kind]

    def project(self, reference: str) -> Project | None:
        """The project with this number or full path (any case, as in GitLab)."""
        if reference.isascii() and reference.isdigit() and len(reference) < 19:  # noqa: PLR2004 - 64 bits
            return self.projects.get(int(reference))
        wanted = reference.lower()
        return next((p for p in self.projects.values() if p.path_with_namespace.lower() == wanted), None)

    def open_issue(
        self, project: Project, *, author: User, title: str, description: str | None, now: datetime
    ) -> Issue:
        """A new open issue in the project."""
        issue = Issue(
            id=self.next_id("issue"),
            iid=max(project.issues, default=0) + 1,
            project_id=project.id,
            title=title,
            description=description,
            author_id=author.id,
            created_at=now,
            updated_at=now,
        )
        project.issues[issue.iid] = issue
        return issue

    def open_merge_request(
        self,
        project: Project,
        *,
        author: User,
        title: str,
        description: str | None,
        source_branch: str,
        target_branch: str,
        now: datetime,
    ) -> MergeRequest:
        """A new open merge request. There is no repository behind it: its one commit is made up."""
        merge_request = MergeRequest(
            id=self.next_id("merge_request"),
            iid=max(project.merge_requests, default=0) + 1,
            project_id=project.id,
            title=title,
            description=description,
            author_id=author.id,
            created_at=now,
            updated_at=now,
            source_branch=source_branch,
            target_branch=target_branch,
            commits=[
                Commit(
                    sha=sha_of(f"{project.id}:{source_branch}"),
                    parent_sha=sha_of(f"{project.id}:{target_branch}"),
                    message=title,
                    author_id=author.id,
                    created_at=now,
                )
            ],
        )
        project.merge_requests[merge_request.iid] = merge_request
        return merge_request

    def add_note(self, noteable: Noteable, *, author: User, body: str, internal: bool, now: datetime) -> Note:
        """A new note; what it is on counts as updated."""
        note = Note(
            id=self.next_id("note"),
            author_id=author.id,
            body=body,
            internal=internal,
            created_at=now,
            updated_at=now,
        )
        noteable.notes[note.id] = note
        noteable.updated_at = now
        return note


def set_open(noteable: Noteable, *, is_open: bool, by: User, now: datetime) -> None:
    """Close or reopen; without effect on what is in that state already, or merged."""
    wanted = "opened" if is_open else "closed"
    if noteable.state in (wanted, "merged"):
        return
    noteable.state = wanted
    noteable.closed_at = None if is_open else now
    noteable.closed_by_id = None if is_open else by.id


def sha_of(text: str) -> str:
    """A commit id for something that has none: 40 hex digits, the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]
