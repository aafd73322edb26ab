"""Groups, and projects with all that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitlab_emulator.state.code import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gitlab_emulator.state.ci import Pipeline
    from gitlab_emulator.state.noteables import Issue, MergeRequest, Noteable
    from gitlab_emulator.state.people import Member

COLOR = "#6699cc"  # of a label that came into being by being used


@dataclass(kw_only=True)
class Label:
    """A label; issues and merge requests name it by its title."""

    id: int
    title: str
    created_at: datetime
    updated_at: datetime
    color: str = COLOR
    description: str | None = None
    priority: int | None = None


@dataclass(kw_only=True)
class Group:
    """A group; `full_path` holds those of the groups that it is in."""

    id: int
    name: str
    full_path: str
    created_at: datetime
    parent_id: int | None = None
    description: str = ""
    visibility: str = "public"
    members: dict[int, Member] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The last part of the full path."""
        return self.full_path.rpartition("/")[2]


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
    visibility: str = "public"
    creator_id: int | None = None
    archived: bool = False
    issues: dict[int, Issue] = field(default_factory=dict)
    merge_requests: dict[int, MergeRequest] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    pipelines: dict[int, Pipeline] = field(default_factory=dict)
    repository: Repository = field(default_factory=Repository)

    @property
    def path(self) -> str:
        """The last part of the full path."""
        return self.path_with_namespace.rpartition("/")[2]

    @property
    def namespace_path(self) -> str:
        """All but the last part of the full path."""
        return self.path_with_namespace.rpartition("/")[0]

    @property
    def last_activity_at(self) -> datetime:
        """When one of its issues or merge requests last changed, or else when it was made."""
        return max((one.updated_at for one in self.noteables()), default=self.created_at)

    def noteables(self) -> Iterator[Noteable]:
        """All issues, then all merge requests, oldest first."""
        yield from self.issues.values()
        yield from self.merge_requests.values()

    def label(self, title: str) -> Label | None:
        """The label with this title."""
        return next((label for label in self.labels.values() if label.title == title), None)


Place = Project | Group
