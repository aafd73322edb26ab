"""Every sample event there is, by the name that the command line takes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from emulator.samples import ci, issues, merge_requests, notes, pushes, releases

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.samples.scene import Json, Scene


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A kind of event: `X-Gitlab-Event`, and what makes its body from a scene."""

    event: str
    build: Callable[[Scene], Json]

    @property
    def summary(self) -> str:
        """What happens in it, in a line."""
        return (self.build.__doc__ or "").partition("\n")[0]


SAMPLES = {
    "issue-open": Sample(event="Issue Hook", build=issues.opened),
    "issue-update": Sample(event="Issue Hook", build=issues.updated),
    "issue-close": Sample(event="Issue Hook", build=issues.closed),
    "issue-reopen": Sample(event="Issue Hook", build=issues.reopened),
    "confidential-issue-open": Sample(event="Confidential Issue Hook", build=issues.opened_confidentially),
    "note-issue": Sample(event="Note Hook", build=notes.on_issue),
    "note-merge-request": Sample(event="Note Hook", build=notes.on_merge_request),
    "merge-request-open": Sample(event="Merge Request Hook", build=merge_requests.opened),
    "merge-request-update": Sample(event="Merge Request Hook", build=merge_requests.updated),
    "merge-request-approved": Sample(event="Merge Request Hook", build=merge_requests.approved),
    "merge-request-merge": Sample(event="Merge Request Hook", build=merge_requests.merged),
    "push": Sample(event="Push Hook", build=pushes.pushed),
    "tag-push": Sample(event="Tag Push Hook", build=pushes.tag_pushed),
    "pipeline": Sample(event="Pipeline Hook", build=ci.pipeline_succeeded),
    "job": Sample(event="Job Hook", build=ci.job_failed),
    "release": Sample(event="Release Hook", build=releases.created),
}


def closest(name: str) -> str | None:
    """The sample whose name is most like this one; None when none is."""
    return next(iter(get_close_matches(name.lower(), SAMPLES, n=1, cutoff=0.4)), None)
