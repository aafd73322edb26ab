"""A third-party service that takes slow jobs and calls back when they are done.

It represents the services that a bot waits for: a job is acknowledged at once, and its result follows
as a GET of the callback URL. Jobs are kept in memory: all open ones, and the last `MAX_ENDED` others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from gitlab_emulator.callback_url import DELAY_S, with_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

log = logging.getLogger("gitlab_emulator")

RETRY_S = 1.0
ATTEMPTS = 4  # the later ones RETRY_S, 2 and 4 times RETRY_S after the one before
TIMEOUT_S = 10.0
CLOSE_WITHIN_S = 5.0
CALLS_AT_ONCE = 50
MAX_OPEN = 2_000
MAX_ENDED = 1_000
HEADERS = {"User-Agent": "gitlab-emulator-third-party"}


class TooManyJobsError(Exception):
    """`MAX_OPEN` jobs are open already."""


class JobState(StrEnum):
    """The state of a job; its value is shown to people."""

    WAITING = "waiting"
    RETRYING = "retrying"
    CALLED_BACK = "called back"
    FAILED = "failed"
    NOT_MADE = "not made: the emulator stopped"
    NO_URL = "no callback URL"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job. `due_at` is when its callback is due, `last_attempt` the outcome of the latest one.

    `some_parameter` is None where the job came without one.
    """

    identifier: str
    some_parameter: str | None
    received_at: datetime
    due_at: datetime
    state: JobState
    attempts: int = 0
    last_attempt: str | None = None
    ended_at: datetime | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `GET /-/jobs` answers with; times in ISO 8601, UTC."""
        times = {"received_at": self.received_at, "due_at": self.due_at, "ended_at": self.ended_at}
        return {**vars(self), **{name: at and at.isoformat() for name, at in times.items()}}


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How many of the callbacks that were still due at the end were made."""

    made: int
    not_made: int


class ThirdParty:
    """Takes jobs, and calls back `delay_s` later; `callback_url` must be a checked one, or None.

    Must be used within one event loop. `aclose` ends it.
    """

    def __init__(
        self,
        callback_url: str | None,
        *,
        clock: Callable[[], datetime],
        delay_s: float = DELAY_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self.callback_url = callback_url
        self.delay_s = delay_s
        self._clock = clock
        self._retry_s = retry_s
        self._open: dict[str, Job] = {}
        self._ended: deque[Job] = deque(maxlen=MAX_ENDED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._turns = asyncio.Semaphore(CALLS_AT_ONCE)
        self._client: httpx.AsyncClient | None = None

    def jobs(self) -> tuple[Job, ...]:
        """All jobs that are known, oldest first."""
        return tuple(sorted((*self._ended, *self._open.values()), key=lambda job: job.received_at))

    def take(self, some_parameter: str | None) -> Job:
        """Start a job and schedule its callback; raise TooManyJobsError when too many are open."""
        now = self._clock()
        job = Job(
            identifier=str(uuid4()),
            some_parameter=some_parameter,
            received_at=now,
            due_at=now + timedelta(seconds=self.delay_s),
            state=JobState.WAITING,
        )
        if self.callback_url is None:
            self._end(job, JobState.NO_URL)
            return job
        if len(self._open) >= MAX_OPEN or self._closing.is_set():
            raise TooManyJobsError
        self._open[job.identifier] = job
        address = with_result(self.callback_url, identifier=job.identifier, some_parameter=some_parameter)
        task = asyncio.create_task(self._see_through(job, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def aclose(self, within_s: float = CLOSE_WITHIN_S) -> Closing:
        """Make each callback that is still due once, now, and log how many were not made."""
        due = set(self._open)
        self._closing.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for job in list(self._open.values()):
            self._end(job, JobState.NOT_MADE)
        if self._client is not None:
            await self._client.aclose()
        made = sum(job.state is JobState.CALLED_BACK for job in self._ended if job.identifier in due)
        closing = Closing(made=made, not_made=len(due) - made)
        if due:
            log.warning(
                "callbacks still due at the end: %s (made at once: %s, failed or not made: %s)",
                *(len(due), closing.made, closing.not_made),
            )
        return closing

    async def _see_through(self, job: Job, address: str) -> None:
        """Wait, call back, and retry after a failure; once closing has begun, do not retry."""
        await self._pause(self.delay_s)
        for number in range(1, ATTEMPTS + 1):
            async with self._turns:
                ok, what = await self._call(address)
            job = replace(job, attempts=number, last_attempt=what, state=JobState.RETRYING)
            log.info("callback of job %s: %s (attempt %s of %s)", job.identifier, what, number, ATTEMPTS)
            if ok or number == ATTEMPTS or self._closing.is_set():
                self._end(job, JobState.CALLED_BACK if ok else JobState.FAILED)
                return
            pause_s = self._retry_s * 2 ** (number - 1)
            self._open[job.identifier] = replace(job, due_at=self._clock() + timedelta(seconds=pause_s))
            await self._pause(pause_s)

    async def _pause(self, seconds: float) -> None:
        """Wait for that long, or until closing begins."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _call(self, address: str) -> tuple[bool, str]:
        """Return whether the callback was accepted, and its outcome in words; leave the body unread."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT_S, headers=HEADERS, trust_env=False, follow_redirects=True
            )
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client.stream("GET", address) as response:
                return response.is_success, f"answered {response.status_code}"
        except (TimeoutError, httpx.TimeoutException):
            return False, f"no answer within {TIMEOUT_S:.0f} s"
        except httpx.ConnectError:
            return False, "connection refused"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return False, f"the call failed: {type(error).__name__}"

    def _end(self, job: Job, state: JobState) -> None:
        self._open.pop(job.identifier, None)
        self._ended.append(replace(job, state=state, ended_at=self._clock()))
