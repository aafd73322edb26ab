"""What ``--json`` prints: dictionaries with field names that stay. Rule: pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hookyard.cli.output.times import iso
from hookyard.ledger.records import FINISHED, WAITING, Outcome, Record, State, Try

if TYPE_CHECKING:
    from hookyard.ledger.query import Page, Stats


def delivery(record: Record) -> dict[str, Any]:
    """Return what a list tells of a delivery. Times are ISO 8601 in UTC, ``null`` where there is none."""
    facts = record.delivery
    return {
        "id": facts.id,
        "state": record.state.value,
        "event": facts.event,
        "project": facts.project,
        "object": facts.object,
        "source": facts.source,
        "received": iso(facts.received_ms),
        "tries": record.tries,
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
    """Return everything that is known of a delivery; the body only when it is asked for."""
    facts = record.delivery
    shape = delivery(record) | {
        "content_type": facts.content_type,
        "vouched_by": facts.vouched_by,
        "event_uuid": facts.event_uuid,
        "trace": facts.trace,
        "headers": dict(facts.headers),
        "size_bytes": len(facts.body),
        "workers_died": record.deaths,
        "handlers": [
            {
                "handler": standing.handler,
                "result": standing.result.value,
                "try": standing.number,
                "attempt": standing.attempt,
                "final": standing.final,
                "next_due": _iso(standing.due_ms),
            }
            for standing in record.standings().values()
        ],
        "history": [_one_try(one_try) for one_try in record.history],
    }
    if with_body:
        shape |= _body(facts.body)
    return shape


def stats(found: Stats) -> dict[str, Any]:
    """Return the counts, with a zero for states that nothing is in."""
    waits = any(count for state, count in found.states.items() if state not in FINISHED)
    return {
        "at": iso(found.now_ms),
        "total": found.total,
        "states": {state.value: count for state, count in found.states.items()},
        "oldest_due": _iso(found.oldest_due_ms) if waits else None,
    }


def _one_try(one_try: Try) -> dict[str, Any]:
    return {
        "number": one_try.number,
        "worker": one_try.worker,
        "started": iso(one_try.started_ms),
        "ended": _iso(one_try.ended_ms),
        "ending": one_try.ending.value,
        "outcomes": [_outcome(outcome) for outcome in one_try.outcomes],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "handler": outcome.handler,
        "result": outcome.result.value,
        "attempt": outcome.attempt,
        "started": iso(outcome.started_ms),
        "took_ms": outcome.took_ms,
        "final": outcome.final,
        "next_due": _iso(outcome.due_ms),
        "error": outcome.error,
        "traceback": outcome.traceback,
    }


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}


def _iso(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else iso(moment_ms)
