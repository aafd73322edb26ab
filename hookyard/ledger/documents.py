"""The JSON documents that ``--json`` prints and the console's API answers; field names are an interface.

Rule: pure. Times are ISO 8601 in UTC, ``null`` where there is none.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NotRequired

from typing_extensions import TypedDict

from hookyard.ledger.records import FINISHED, UNFINISHED, Attempt, Record, Run, Standing, State
from hookyard.ledger.times import iso

if TYPE_CHECKING:
    from hookyard.ledger.query import Page, Stats


class DeliveryDocument(TypedDict):
    """A delivery of a list."""

    id: str
    state: str
    event: str
    project: str | None
    object: str | None
    source: str
    received: str
    runs: int
    next_due: str | None
    lease_ends: str | None
    worker: str | None
    finished: str | None
    error: str | None


class PageDocument(TypedDict):
    """One page of deliveries; ``next_cursor`` gives the next one."""

    deliveries: list[DeliveryDocument]
    next_cursor: str | None


class StandingDocument(TypedDict):
    """Where one handler stands."""

    handler: str
    outcome: str
    run: int
    attempt: int
    final: bool
    next_due: str | None
    fingerprint: str | None


class AttemptDocument(TypedDict):
    """One execution of one handler."""

    handler: str
    outcome: str
    number: int
    started: str
    took_ms: int
    final: bool
    next_due: str | None
    error: str | None
    fingerprint: str | None
    traceback: str | None
    result: str | None
    enqueued: list[str]


class RunDocument(TypedDict):
    """One pass of a delivery through a worker."""

    number: int
    worker: str
    started: str
    ended: str | None
    ending: str
    attempts: list[AttemptDocument]


class WholeDeliveryDocument(DeliveryDocument):
    """Everything about a delivery; its body only on request."""

    content_type: str | None
    authenticated_by: str
    origin: str
    parent: str | None
    event_uuid: str | None
    trace: str | None
    headers: dict[str, str]
    size_bytes: int
    crashes: int
    quarantined: str | None
    body_dropped: str | None
    handlers: list[StandingDocument]
    history: list[RunDocument]
    body: NotRequired[str | None]
    body_base64: NotRequired[str]


class StatsDocument(TypedDict):
    """How the ledger stands."""

    at: str
    total: int
    states: dict[str, int]
    quarantined: int
    oldest_due: str | None


def delivery(record: Record) -> DeliveryDocument:
    """Return a delivery of a list."""
    facts = record.delivery
    return {
        "id": facts.id,
        "state": record.state.value,
        "event": facts.event,
        "project": facts.project,
        "object": facts.object,
        "source": facts.source,
        "received": iso(facts.received_ms),
        "runs": record.runs,
        "next_due": iso_or_none(record.due_ms) if record.state in UNFINISHED else None,
        "lease_ends": iso_or_none(record.due_ms) if record.state is State.RUNNING else None,
        "worker": record.worker if record.state is State.RUNNING else None,
        "finished": iso_or_none(record.finished_ms),
        "error": record.error,
    }


def page(found: Page) -> PageDocument:
    """Return one page; ``next_cursor`` is for ``--cursor``."""
    return {
        "deliveries": [delivery(record) for record in found.records],
        "next_cursor": found.next_cursor,
    }


def whole_delivery(record: Record, *, with_body: bool = False) -> WholeDeliveryDocument:
    """Return everything about a delivery; the body only on request."""
    facts = record.delivery
    listed = delivery(record)
    shape: WholeDeliveryDocument = {
        **listed,  # type: ignore[typeddict-item]  # mypy takes keys that may be missing for ones that must be there
        "content_type": facts.content_type,
        "authenticated_by": facts.authenticated_by,
        "origin": facts.origin,
        "parent": facts.parent,
        "event_uuid": facts.event_uuid,
        "trace": facts.trace,
        "headers": dict(facts.headers),
        "size_bytes": len(facts.body),
        "crashes": record.crashes,
        "quarantined": iso_or_none(record.quarantined_ms),
        "body_dropped": iso_or_none(record.dropped_ms),
        "handlers": [standing(one) for one in record.standings().values()],
        "history": [_run(run) for run in record.history],
    }
    if with_body:
        try:
            shape["body"] = facts.body.decode()
        except UnicodeDecodeError:
            shape["body"] = None
            shape["body_base64"] = base64.b64encode(facts.body).decode()
    return shape


def stats(found: Stats) -> StatsDocument:
    """Return the counts, with a zero for states without deliveries."""
    waits = any(count for state, count in found.states.items() if state not in FINISHED)
    return {
        "at": iso(found.now_ms),
        "total": found.total,
        "states": {state.value: count for state, count in found.states.items()},
        "quarantined": found.quarantined,
        "oldest_due": iso_or_none(found.oldest_due_ms) if waits else None,
    }


def iso_or_none(moment_ms: int | None) -> str | None:
    """Return a time, ``None`` where there is none."""
    return None if moment_ms is None else iso(moment_ms)


def standing(one: Standing) -> StandingDocument:
    """Return where a handler stands."""
    return {
        "handler": one.handler,
        "outcome": one.outcome.value,
        "run": one.run,
        "attempt": one.attempt,
        "final": one.final,
        "next_due": iso_or_none(one.due_ms),
        "fingerprint": one.fingerprint,
    }


def _run(run: Run) -> RunDocument:
    return {
        "number": run.number,
        "worker": run.worker,
        "started": iso(run.started_ms),
        "ended": iso_or_none(run.ended_ms),
        "ending": run.ending.value,
        "attempts": [_attempt(attempt) for attempt in run.attempts],
    }


def _attempt(attempt: Attempt) -> AttemptDocument:
    return {
        "handler": attempt.handler,
        "outcome": attempt.outcome.value,
        "number": attempt.number,
        "started": iso(attempt.started_ms),
        "took_ms": attempt.took_ms,
        "final": attempt.final,
        "next_due": iso_or_none(attempt.due_ms),
        "error": attempt.error,
        "fingerprint": attempt.fingerprint,
        "traceback": attempt.traceback,
        "result": attempt.result,
        "enqueued": list(attempt.enqueued),
    }
