"""Filters, pages and counts: the vocabulary of reading the ledger. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hookyard.ledger.records import Outcome, Record, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which deliveries are meant; every condition that is set must hold.

    ``event`` and ``handler`` match by part of the name and regardless of case, as do ``project`` and
    ``error``; ``since_ms`` and ``until_ms`` bound the time of receipt (Unix ms, both inclusive).
    ``object`` is such as ``!12`` or ``group/app!12``; ``outcome`` and ``fingerprint`` are those of a
    handler's latest attempt, of one that ``handler`` means where that is set. ``text`` is looked for in the
    id, the event, the project, the object, the error and the names of handlers.
    """

    state: State | None = None
    event: str | None = None
    project: str | None = None
    handler: str | None = None
    error: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    object: str | None = None
    source: str | None = None
    origin: str | None = None
    outcome: Outcome | None = None
    fingerprint: str | None = None
    text: str | None = None

    def matches(self, record: Record) -> bool:
        """Return whether *record* is meant."""
        delivery = record.delivery
        return (
            (self.state is None or record.state is self.state)
            and _within(self.event, delivery.event)
            and _within(self.project, delivery.project)
            and _within(self.error, record.error)
            and (self.since_ms is None or delivery.received_ms >= self.since_ms)
            and (self.until_ms is None or delivery.received_ms <= self.until_ms)
            and (self.source is None or self.source == delivery.source)
            and (self.origin is None or self.origin == delivery.origin)
            and (self.object is None or self._object_matches(record))
            and (self.text is None or self._text_matches(record))
            and (self.handler is None or self._handler_matches(record))
            and ((self.outcome or self.fingerprint) is None or self._standing_matches(record))
        )

    def _object_matches(self, record: Record) -> bool:
        delivery = record.delivery
        return delivery.object is not None and self.object in {
            delivery.object,
            f"{delivery.project}{delivery.object}",
        }

    def _standing_matches(self, record: Record) -> bool:
        return any(
            (self.outcome is None or standing.outcome is self.outcome)
            and (self.fingerprint is None or standing.fingerprint == self.fingerprint)
            and _within(self.handler, name)
            for name, standing in record.standings().items()
        )

    def _text_matches(self, record: Record) -> bool:
        delivery = record.delivery
        told = (delivery.id, delivery.event, f"{delivery.project or ''}{delivery.object or ''}", record.error)
        return any(_within(self.text, one) for one in (*told, *record.standings()))

    def _handler_matches(self, record: Record) -> bool:
        """With state ``failed`` or ``retrying``, only handlers that did not succeed count."""
        succeeded = record.succeeded_handlers()
        attempted = {attempt.handler for run in record.history for attempt in run.attempts}
        return any(
            _within(self.handler, name)
            for name in attempted | record.standings().keys()
            if self.state not in {State.FAILED, State.RETRYING} or name not in succeeded
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Deliveries, newest first; ``next_cursor`` gives the following page, ``None`` at the end."""

    records: tuple[Record, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """How the ledger stands. ``oldest_due_ms``: since when the longest-waiting delivery has been due.

    ``quarantined``: how many of those queued wait to be run alone.
    """

    states: dict[State, int]
    total: int
    oldest_due_ms: int | None
    now_ms: int
    quarantined: int = 0


def _within(part: str | None, text: str | None) -> bool:
    return part is None or part.casefold() in (text or "").casefold()
