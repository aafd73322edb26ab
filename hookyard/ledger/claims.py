"""What a claim gives a worker, and what the worker gives back: how a run ends. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from hookyard.ledger.records import Delivery, Record, Run, State


class Unreadable(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that was claimed, but whose record this version cannot read; settle it as failed."""

    delivery_id: str
    token: str
    error: str


class Claims(Struct, frozen=True, kw_only=True, gc=False):
    """What one claim gave. Times are Redis's, Unix ms.

    ``foreign``: members of the queue that are no deliveries, such as arq's cron jobs.
    ``next_due_ms``: when the next one falls due, which may be past; ``None`` when the queue is empty.
    ``quarantine_due_ms``: the same for the quarantine.
    """

    records: tuple[Record, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    foreign: tuple[str, ...] = ()
    next_due_ms: int | None = None
    quarantine_due_ms: int | None = None
    now_ms: int = 0


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """How a run ends. ``token`` is the claim's; ``delay_ms`` counts for ``retrying`` and ``waiting``.

    State ``queued`` releases the delivery: it is due at once and the run is not counted. ``left`` are the
    lines that it does not stand in any more; ``alarms`` the keys whose arrival makes it due; ``enqueued`` the
    deliveries that its handlers made, with the times they fall due (Unix ms).
    """

    delivery_id: str
    token: str
    state: State
    delay_ms: int = 0
    error: str | None = None
    run: Run | None = None
    left: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    enqueued: tuple[tuple[Delivery, int], ...] = ()
