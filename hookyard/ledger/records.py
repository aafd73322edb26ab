"""What a delivery is: its facts, its states, and what each try came to.

Rule: pure. No I/O, no clock, no environment. These are msgspec's Structs and not dataclasses, because
thousands are made a second and a frozen dataclass takes ten times as long; `packing` writes `Run` and
what is in it as they stand here, without what has its default.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

RECORD_VERSION: Final = 1
"""Raised when a record gains something an older worker could not read; see ``scripts/claim.lua``."""

DELIVERY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
"""GitLab sends UUIDs. No ``:`` (arq's cron job ids have one), nothing that a shell or URL would change."""

ERROR_LIMIT: Final = 500


class State(StrEnum):
    """Where a delivery stands; the words are design-wide and appear as they are in Redis."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    IGNORED = "ignored"
    FAILED = "failed"


FINISHED: Final = frozenset({State.SUCCEEDED, State.IGNORED, State.FAILED})
UNFINISHED: Final = frozenset({State.QUEUED, State.WAITING, State.RETRYING})
"""Those of a delivery that no worker has just now, and that one will have."""


class Outcome(StrEnum):
    """The result of one attempt.

    ``crashed``: its host died while it ran alone. ``waiting``: it asked to be run later, which spends no
    attempt. ``superseded``: it did not run, since a newer delivery with its key does. ``interrupted``: it
    was cut off through no fault of the handler, and does not count.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    WAITING = "waiting"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"


FAILURES: Final = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED})
DONE: Final = frozenset({Outcome.SUCCEEDED, Outcome.SUPERSEDED})


class Ending(StrEnum):
    """How a try ended: on its own, by a drain, or with its worker."""

    SETTLED = "settled"
    RELEASED = "released"
    CRASHED = "crashed"
    RUNNING = "running"


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """One webhook request as it was accepted; never changed afterwards.

    ``headers`` has lower-case names and no secret; ``project`` is a path such as ``group/app`` or an
    id; ``object`` is ``!12`` or ``#7``; ``authenticated_by`` names the secret that proved the sender by
    position and fingerprint; ``trace`` is a W3C ``traceparent``. ``origin`` is where it came from, and
    ``parent`` the delivery whose handler enqueued it; ``redacted``: GitLab's log has blacked out e-mails.
    """

    id: str
    event: str
    received_ms: int
    content_type: str | None
    body: bytes
    headers: dict[str, str]
    source: str = "default"
    project: str | None = None
    object: str | None = None
    authenticated_by: str = ""
    trace: str | None = None
    origin: str = "webhook"
    parent: str | None = None
    redacted: bool = False

    @property
    def event_uuid(self) -> str | None:
        """GitLab's ``X-Gitlab-Event-UUID``, to be sent along on REST calls; not unique per delivery."""
        return self.headers.get("x-gitlab-event-uuid")


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One execution of one handler.

    ``number`` counts the attempts of this round, from 1, and ``crashes`` those of them that ended with
    their host. ``final``: not run again in this round, because it succeeded or was given up; otherwise
    ``due_ms`` (Unix ms, by Redis's clock) is its next attempt. ``fingerprint`` is that of what failed
    (``ledger.fingerprints``). Of one that waits, ``error`` is what for, ``waiting_since_ms`` since when, and
    ``wake_on`` the key whose arrival ends the wait. ``result`` is what the handler returned, as JSON;
    ``enqueued`` the deliveries that it made.
    """

    handler: str
    outcome: Outcome
    number: int
    started_ms: int
    took_ms: int
    final: bool
    due_ms: int | None = None
    error: str | None = None
    traceback: str | None = None
    crashes: int = 0
    fingerprint: str | None = None
    waiting_since_ms: int | None = None
    wake_on: str | None = None
    result: str | None = None
    enqueued: tuple[str, ...] = ()


class Standing(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Where a handler stands in a delivery: the outcome of its latest attempt, and the run that made it.

    ``attempt`` counts the attempts that were spent. ``crashes`` counts those of this round that ended with
    their host; ``fingerprint`` is that of the latest failure.
    """

    handler: str
    outcome: Outcome
    run: int
    attempt: int
    final: bool
    due_ms: int | None = None
    crashes: int = 0
    fingerprint: str | None = None
    waiting_since_ms: int | None = None
    wake_on: str | None = None


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One run of a delivery in a worker. ``number`` is the claim's, unique within the delivery.

    ``carried`` is where the handlers stand that this try did not run: with the outcomes it makes
    the latest try tell everything, however many older ones a record has dropped.
    """

    number: int
    worker: str
    started_ms: int
    ending: Ending
    ended_ms: int | None = None
    attempts: tuple[Attempt, ...] = ()
    carried: tuple[Standing, ...] = ()

    def standings(self) -> dict[str, Standing]:
        """Return where every handler stands after this run, by name; what was interrupted does not count."""
        standings = {standing.handler: standing for standing in self.carried}
        for attempt in self.attempts:
            if attempt.outcome is not Outcome.INTERRUPTED:
                standings[attempt.handler] = Standing(
                    handler=attempt.handler,
                    outcome=attempt.outcome,
                    run=self.number,
                    attempt=attempt.number - (attempt.outcome is Outcome.WAITING),
                    final=attempt.final,
                    due_ms=attempt.due_ms,
                    crashes=attempt.crashes,
                    fingerprint=attempt.fingerprint,
                    waiting_since_ms=attempt.waiting_since_ms,
                    wake_on=attempt.wake_on,
                )
        return standings


class Record(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery and all that has become of it.

    ``claims`` counts every claim ever and numbers the runs; ``token`` is the fencing token of the latest
    claim; ``runs`` counts the runs of this round; ``crashes`` the workers in a row that died while running
    it alone. ``round_from`` is the first claim of this round of runs, ``done_from`` the first claim whose
    successes still count. ``due_ms`` is when it falls due: for ``running``, when its lease ends.
    ``quarantined_ms`` is since when it is suspected of killing its worker, ``alone`` whether its latest
    claim was from the quarantine. ``dropped_ms`` is when its body was dropped to make room: it cannot be
    replayed any more. ``woken`` where it was claimed before its time: ``forward`` if a test wanted
    that, else since what it waits for has come. ``history`` is in order.
    """

    delivery: Delivery
    state: State
    token: str = ""
    runs: int = 0
    claims: int = 0
    crashes: int = 0
    round_from: int = 1
    done_from: int = 1
    worker: str | None = None
    claimed_ms: int | None = None
    finished_ms: int | None = None
    due_ms: int | None = None
    quarantined_ms: int | None = None
    alone: bool = False
    dropped_ms: int | None = None
    woken: str | None = None
    error: str | None = None
    history: tuple[Run, ...] = ()

    def standings(self) -> dict[str, Standing]:
        """Return where each handler that ever ran stands, by name.

        A run that died before it wrote anything tells nothing, so the one before it counts.
        """
        for run in reversed(self.history):
            if run.attempts or run.carried:
                return run.standings()
        return {}

    def succeeded_handlers(self) -> frozenset[str]:
        """Names of the handlers whose success still counts, so that they are not run again."""
        return frozenset(
            name
            for name, standing in self.standings().items()
            if standing.outcome is Outcome.SUCCEEDED and standing.run >= self.done_from
        )


def one_line(text: str, limit: int = ERROR_LIMIT) -> str:
    """Return *text* on one line of at most *limit* characters, for lists and logs.

    Half a surrogate pair, which JSON may hold and UTF-8 may not, is written as its escape.
    """
    flat = " ".join(text.encode(errors="backslashreplace").decode().split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
