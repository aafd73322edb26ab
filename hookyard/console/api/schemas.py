"""The documents of the API, beside those of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from hookyard.ledger.documents import DeliveryDocument, StandingDocument, delivery, iso_or_none, standing
from hookyard.ledger.times import iso

if TYPE_CHECKING:
    from hookyard.console.orders import Order
    from hookyard.console.store import AuditEntry
    from hookyard.ledger.failure_groups import FailureGroup
    from hookyard.ledger.rates import Interval, Lengths
    from hookyard.ledger.search import Found


class ListedDocument(DeliveryDocument):
    """A delivery of a list, with where its handlers stand."""

    handlers: list[StandingDocument]


class FoundDocument(TypedDict):
    """One page of a search.

    ``searched_to`` is how far back it looked, where it ended before the page was full: ``next_cursor`` goes
    on from there. ``count`` is how many match in all, ``null`` where that would take a search.
    """

    deliveries: list[ListedDocument]
    next_cursor: str | None
    searched_to: str | None
    count: int | None


class AnswerDocument(TypedDict):
    """What came of an action on one delivery."""

    id: str
    answer: Literal["queued", "running", "discarded"]


class OrderIdDocument(TypedDict):
    """The id of an order that was given."""

    id: str


class OrderDocument(TypedDict):
    """A bulk order: ``met`` deliveries so far, ``touched`` those of them that it changed, ``of`` so many."""

    id: str
    kind: str
    filter: str
    by: str
    given: str
    state: Literal["running", "paused", "stopped", "done"]
    met: int
    touched: int
    of: int | None
    ended: str | None


class OrdersDocument(TypedDict):
    """The latest bulk orders."""

    orders: list[OrderDocument]


class FailureDocument(TypedDict):
    """A kind of failure. ``days``: attempts that ended so in each of the last 14 days, the oldest first."""

    fingerprint: str
    handler: str
    outcome: str
    error: str
    first: str
    last: str
    count: int
    days: list[int]
    standing: int
    delivery: str


class FailuresDocument(TypedDict):
    """The kinds of failure met last; ``total``: how many there are."""

    failures: list[FailureDocument]
    total: int


class HandlerDocument(TypedDict):
    """What a handler did in the last hours; lengths are known to within a fifth."""

    handler: str
    attempts: int
    outcomes: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None


class HandlersDocument(TypedDict):
    """The handlers that ran; ``more``: there are others, with fewer attempts."""

    hours: int
    handlers: list[HandlerDocument]
    more: int


class IntervalDocument(TypedDict):
    """What happened from then on, for as long as each interval is."""

    start: str
    counts: dict[str, int]


class RatesDocument(TypedDict):
    """What happened in each interval, the oldest first."""

    minutes_each: int
    intervals: list[IntervalDocument]


class CredentialDocument(TypedDict):
    """How many deliveries one credential authenticated, and when the last one came."""

    source: str
    credential: str
    deliveries: int
    last: str


class CredentialsDocument(TypedDict):
    """The credentials in use."""

    credentials: list[CredentialDocument]


class ValuesDocument(TypedDict):
    """Known values of a facet, those met last first."""

    values: list[str]


class AuditDocument(TypedDict):
    """One thing that somebody did."""

    at: str
    name: str
    role: str
    what: str
    on: str
    result: str


class AuditedDocument(TypedDict):
    """What was done, the latest first."""

    entries: list[AuditDocument]
    next_cursor: str | None


class MeDocument(TypedDict):
    """Whom a token or session belongs to."""

    name: str
    role: Literal["viewer", "operator", "admin"]
    reads_bodies: bool


def found(page: Found, count: int | None) -> FoundDocument:
    """Return one page of a search."""
    return {
        "deliveries": [
            {**delivery(record), "handlers": [standing(one) for one in record.standings().values()]}
            for record in page.records
        ],
        "next_cursor": page.next_cursor,
        "searched_to": iso_or_none(page.searched_to_ms),
        "count": count,
    }


def order(given: Order) -> OrderDocument:
    """Return a bulk order."""
    return {
        "id": given.id,
        "kind": given.kind,
        "filter": given.filter,
        "by": given.by,
        "given": iso(given.given_ms),
        "state": given.state,  # type: ignore[typeddict-item]  # one of these, from Redis
        "met": given.met,
        "touched": given.touched,
        "of": given.of,
        "ended": iso_or_none(given.ended_ms),
    }


def failure(group: FailureGroup) -> FailureDocument:
    """Return a kind of failure."""
    return {
        "fingerprint": group.fingerprint,
        "handler": group.handler,
        "outcome": group.outcome,
        "error": group.error,
        "first": iso(group.first_ms),
        "last": iso(group.last_ms),
        "count": group.count,
        "days": list(group.days),
        "standing": group.standing,
        "delivery": group.delivery,
    }


def handler(name: str, lengths: Lengths) -> HandlerDocument:
    """Return what a handler did."""
    return {
        "handler": name,
        "attempts": lengths.count,
        "outcomes": dict(lengths.outcomes),
        "p50_ms": lengths.quantile_ms(0.5),
        "p99_ms": lengths.quantile_ms(0.99),
    }


def interval(one: Interval) -> IntervalDocument:
    """Return what happened in an interval."""
    return {"start": iso(one.from_ms), "counts": dict(one.counts)}


def audited(entry: AuditEntry) -> AuditDocument:
    """Return one thing that somebody did."""
    return {
        "at": iso(entry.at_ms),
        "name": entry.name,
        "role": entry.role,
        "what": entry.what,
        "on": entry.on,
        "result": entry.result,
    }
