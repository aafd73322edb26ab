"""A project's repository: commits, and the files at each of them."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MIN_SHORT_SHA = 7


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
    removed: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class FileChange:
    """One file's difference between two commits, in the unified format without its two header lines."""

    path: str
    diff: str
    new: bool = False
    deleted: bool = False


@dataclass(kw_only=True)
class Repository:
    """Commits and, for each, all files by path, as text; branches and tags name commits."""

    commits: dict[str, Commit] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, commit: Commit, files: dict[str, str], *, branch: str) -> None:
        """A commit on top of a branch, which then points at it."""
        self.commits[commit.sha] = commit
        self.files[commit.sha] = files
        self.branches[branch] = commit.sha

    def resolve(self, ref: str, default_branch: str) -> Commit | None:
        """The commit that a branch, a tag, `HEAD` or a whole or shortened sha names."""
        name = default_branch if ref == "HEAD" else ref
        for prefix, names in (("refs/heads/", self.branches), ("refs/tags/", self.tags)):
            if (sha := names.get(name.removeprefix(prefix))) is not None:
                return self.commits.get(sha)
        if len(name) < MIN_SHORT_SHA:
            return None
        return next((commit for sha, commit in self.commits.items() if sha.startswith(name.lower())), None)

    def history(self, newest: Commit) -> list[Commit]:
        """A commit and its ancestors, newest first."""
        found: list[Commit] = []
        at: Commit | None = newest
        while at is not None:
            found.append(at)
            at = self.commits.get(at.parent_sha)
        return found


def sha_of(text: str) -> str:
    """A commit id for something that has none: 40 hex digits, the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def changes_between(old: dict[str, str], new: dict[str, str]) -> list[FileChange]:
    """What makes the new files of the old ones, by path."""
    return [
        FileChange(
            path=path,
            diff="".join(_diff(old.get(path, ""), new.get(path, ""))),
            new=path not in old,
            deleted=path not in new,
        )
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def _diff(old: str, new: str) -> list[str]:
    return list(difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True)))[2:]
