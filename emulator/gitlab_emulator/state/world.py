"""Everything that the emulator keeps, and how things get into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitlab_emulator.state.code import Commit, FileChange, changes_between, sha_of
from gitlab_emulator.state.noteables import Issue, MergeRequest, Note, Noteable
from gitlab_emulator.state.people import NO_ACCESS, OWNER, Token, User
from gitlab_emulator.state.places import Group, Label, Place, Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gitlab_emulator.hooks.model import Hook, HookEvent

MAX_OF_A_KIND = 1_000_000
FIRST_ID = 101


class FullError(Exception):
    """The emulator holds as many things of a kind as it is made for; the text says which kind."""


@dataclass(kw_only=True)
class State:
    """Everything the emulator keeps. `bot_id` is the account that unregistered access tokens belong to."""

    users: dict[int, User]
    projects: dict[int, Project]
    bot_id: int
    groups: dict[int, Group] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    last_ids: dict[str, int] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    hook_events: dict[int, HookEvent] = field(default_factory=dict)

    def next_id(self, kind: str) -> int:
        """A number that nothing of this kind has had yet; FullError after `MAX_OF_A_KIND`."""
        last = self.last_ids.get(kind, FIRST_ID - 1)
        if last >= MAX_OF_A_KIND:
            raise FullError(f"the emulator holds at most {MAX_OF_A_KIND} of {kind}")
        self.last_ids[kind] = last + 1
        return last + 1

    def project(self, reference: str) -> Project | None:
        """The project with this number or full path (any case, as in GitLab)."""
        if (number := _number(reference)) is not None:
            return self.projects.get(number)
        wanted = reference.lower()
        return next((p for p in self.projects.values() if p.path_with_namespace.lower() == wanted), None)

    def group(self, reference: str) -> Group | None:
        """The group with this number or full path."""
        if (number := _number(reference)) is not None:
            return self.groups.get(number)
        wanted = reference.lower()
        return next((group for group in self.groups.values() if group.full_path.lower() == wanted), None)

    def user(self, reference: str) -> User | None:
        """The account with this number or username."""
        if (number := _number(reference)) is not None:
            return self.users.get(number)
        return next((user for user in self.users.values() if user.username == reference.lower()), None)

    def groups_above(self, place: Place) -> Iterator[Group]:
        """The groups that a project or group is in, the nearest first."""
        number = place.namespace_id if isinstance(place, Project) else place.parent_id
        while number is not None and (group := self.groups.get(number)) is not None:
            yield group
            number = group.parent_id

    def access_level(self, user: User, place: Place) -> int:
        """What the account may do there: the highest level that it has in the place or above it."""
        if user.admin:
            return OWNER
        members = [place.members, *(group.members for group in self.groups_above(place))]
        return max((one[user.id].access_level for one in members if user.id in one), default=NO_ACCESS)

    def projects_below(self, group: Group) -> list[Project]:
        """The projects in a group and in the groups in it."""
        return [one for one in self.projects.values() if _among(group, self.groups_above(one))]

    def groups_below(self, group: Group) -> list[Group]:
        """The groups in a group, and in these."""
        return [one for one in self.groups.values() if _among(group, self.groups_above(one))]

    def move_group(self, group: Group, full_path: str) -> None:
        """Give a group another full path, and all that is below it with it."""
        old = f"{group.full_path}/"
        for project in self.projects_below(group):
            project.path_with_namespace = f"{full_path}/{project.path_with_namespace.removeprefix(old)}"
        for one in self.groups_below(group):
            one.full_path = f"{full_path}/{one.full_path.removeprefix(old)}"
        group.full_path = full_path

    def use_labels(self, project: Project, titles: Iterable[str], now: datetime) -> None:
        """Make those labels that the project does not have yet, as GitLab does when one is first used."""
        for title in titles:
            if project.label(title) is None:
                label = Label(id=self.next_id("label"), title=title, created_at=now, updated_at=now)
                project.labels[label.id] = label

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
        """A new open merge request; where its source branch does not exist, its one commit is made up."""
        commits, changes = _between(project, source_branch, target_branch)
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
            changes=changes,
            commits=commits
            or [
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

    def add_note(
        self,
        noteable: Noteable,
        *,
        author: User,
        body: str,
        now: datetime,
        internal: bool = False,
        kind: str | None = None,
        discussion_id: str = "",
    ) -> Note:
        """A new note, in a new discussion unless one is named; what it is on counts as updated."""
        note = Note(
            id=self.next_id("note"),
            author_id=author.id,
            body=body,
            internal=internal,
            kind=kind,
            discussion_id=discussion_id,
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


def _between(
    project: Project, source_branch: str, target_branch: str
) -> tuple[list[Commit], list[FileChange]]:
    """The commits that only the source branch has, oldest first, and what they change."""
    repository = project.repository
    source, target = (
        repository.commits.get(repository.branches.get(name, "")) for name in (source_branch, target_branch)
    )
    if source is None or target is None:
        return [], []
    known = {commit.sha for commit in repository.history(target)}
    commits = [commit for commit in repository.history(source) if commit.sha not in known][::-1]
    return commits, changes_between(repository.files[target.sha], repository.files[source.sha])


def _among(group: Group, groups: Iterable[Group]) -> bool:
    return any(one is group for one in groups)


def _number(reference: str) -> int | None:
    """A reference that is a number of at most 64 bits."""
    is_number = reference.isascii() and reference.isdigit() and len(reference) < 19  # noqa: PLR2004
    return int(reference) if is_number else None
