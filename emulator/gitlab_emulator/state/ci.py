"""Pipelines with their jobs; a commit status set from outside is a job too, as in GitLab."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

FINISHED = {"success", "failed", "canceled", "skipped"}
PASSED = {"success", "skipped"}


@dataclass(kw_only=True)
class Job:
    """A job; `external` ones are commit statuses. A retried one no longer counts."""

    id: int
    name: str
    stage: str
    user_id: int
    created_at: datetime
    status: str = "created"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    allow_failure: bool = False
    external: bool = False
    retried: bool = False
    failure_reason: str | None = None
    description: str | None = None
    target_url: str | None = None
    coverage: float | None = None
    trace: str = ""

    @property
    def duration_s(self) -> float | None:
        """How long it ran; None while it has not ended, or never began."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def queued_s(self) -> float | None:
        """How long it waited for a runner."""
        return None if self.started_at is None else (self.started_at - self.created_at).total_seconds()


@dataclass(kw_only=True)
class Pipeline:
    """A pipeline over one commit; `iid` counts within its project."""

    id: int
    iid: int
    ref: str
    sha: str
    user_id: int
    created_at: datetime
    updated_at: datetime
    source: str = "push"
    tag: bool = False
    variables: list[dict[str, str]] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)

    @property
    def latest_jobs(self) -> list[Job]:
        """Its jobs without those that were retried."""
        return [job for job in self.jobs.values() if not job.retried]

    @property
    def status(self) -> str:
        """What its jobs come to together."""
        return status_of(self.latest_jobs)

    @property
    def started_at(self) -> datetime | None:
        """When its first job began."""
        return min((job.started_at for job in self.latest_jobs if job.started_at), default=None)

    @property
    def finished_at(self) -> datetime | None:
        """When its last job ended; None while one has not."""
        ends = [job.finished_at for job in self.latest_jobs]
        known = [end for end in ends if end is not None]
        return max(known) if known and self.status in FINISHED else None

    @property
    def duration_s(self) -> float | None:
        """From its first job's start to its last job's end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def queued_s(self) -> float | None:
        """How long it waited for its first job to begin."""
        return None if self.started_at is None else (self.started_at - self.created_at).total_seconds()


def status_of(jobs: list[Job]) -> str:
    """The status that GitLab shows for jobs together: a failure counts once all have ended."""
    statuses = {
        "success" if job.allow_failure and job.status in ("failed", "canceled") else job.status
        for job in jobs
    }
    cases = (
        ("created", statuses <= {"created"}),
        ("skipped", statuses <= {"skipped"}),
        ("success", statuses <= PASSED),
        ("failed", statuses <= FINISHED and "failed" in statuses),
        ("canceled", statuses <= FINISHED),
        ("manual", statuses <= {*FINISHED, "manual"}),
        ("pending", statuses <= {"created", "pending", "skipped"}),
    )
    return next((status for status, holds in cases if holds), "running")
