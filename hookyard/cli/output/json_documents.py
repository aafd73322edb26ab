"""The documents that ``--json`` prints; their field names are an interface. Rule: pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hookyard.cli.output.times import iso
from hookyard.ledger.records import FINISHED, WAITING, Attempt, Record, Run, State

if TYPE_CHECKING:
    from hookyard.ledger.query import Page, Stats


def delivery(record: Record) -> dict[str, Any]:
    """Return a delivery of a list. Times are ISO 8601 in UTC, ``null`` where there is none."""
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
        "next_due": _iso(record.due_ms) if record.state in WAITING else None,
        "lease_ends": _iso(record.due_ms) if record.state is State.RUNNING else None,
        "worker": record.worker if record.state is State.RUNNING else None,
        "finished": _iso(record.finished_ms),
        "error": record.error,
    }


def page(found: Page) -> dict[str, Any]:
    """Return one page; ``next_cursor`` is for ``--cursor``."""
    return {
        "deliveries": [delivery(record) for record in found.records],
        "next_cursor": found.next_cursor,
    }


def whole_delivery(record: Record, *, with_body: bool = False) -> dict[str, Any]:
    """Return everything about a delivery; the body only on request."""
    facts = record.delivery
    shape = delivery(record) | {
        "content_type": facts.content_type,
        "authenticated_by": facts.authenticated_by,
        "event_uuid": facts.event_uuid,
        "trace": facts.trace,
        "headers": dict(facts.headers),
        "size_bytes": len(facts.body),
        "crashes": record.crashes,
        "quarantined": _iso(record.quarantined_ms),
        "body_dropped": _iso(record.dropped_ms),
        "handlers": [
            {
                "handler": standing.handler,
                "outcome": standing.outcome.value,
                "run": standing.run,
                "attempt": standing.attempt,
                "final": standing.final,
                "next_due": _iso(standing.due_ms),
            }
            for standing in record.standings().values()
        ],
        "history": [_run(run) for run in record.history],
    }
    if with_body:
        shape |= _body(facts.body)
    return shape


def stats(found: Stats) -> dict[str, Any]:
    """Return the counts, with a zero for states without deliveries."""
    waits = any(count for state, count in found.states.items() if state not in FINISHED)
    return {
        "at": iso(found.now_ms),
        "total": found.total,
        "states": {state.value: count for state, count in found.states.items()},
        "quarantined": found.quarantined,
        "oldest_due": _iso(found.oldest_due_ms) if waits else None,
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "number": run.number,
        "worker": run.worker,
        "started": iso(run.started_ms),
        "ended": _iso(run.ended_ms),
        "ending": run.ending.value,
        "attempts": [_attempt(attempt) for attempt in run.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "handler": attempt.handler,
        "outcome": attempt.outcome.value,
        "number": attempt.number,
        "started": iso(attempt.started_ms),
        "took_ms": attempt.took_ms,
        "final": attempt.final,
        "next_due": _iso(attempt.due_ms),
        "error": attempt.error,
        "traceback": attempt.traceback,
    }


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}


def _iso(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else iso(moment_ms)
