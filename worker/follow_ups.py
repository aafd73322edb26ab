"""The deliveries that a handler's enqueued tasks become. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hookyard.ledger.records import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookyard.host.messages import FollowUp
    from hookyard.ledger.records import Record


def deliveries_of(
    record: Record, handler: str, enqueued: Sequence[FollowUp], now_ms: int
) -> tuple[tuple[Delivery, int], ...]:
    """Return the deliveries that *handler* made in this run of *record*, each with the time it falls due.

    An id tells the run, the handler and the place, so that recording the same success again makes nothing
    new; with ``once`` it is that of the name alone.
    """
    made = []
    for place, each in enumerate(enqueued):
        if each.once is not None:
            delivery_id = f"once~{_digest(each.event, each.once)}"
        else:
            delivery_id = f"task~{_digest(record.delivery.id, str(record.claims), handler, str(place))}"
        made.append(
            (
                Delivery(
                    id=delivery_id,
                    event=each.event,
                    received_ms=now_ms,
                    content_type="application/json",
                    body=each.body,
                    headers={},
                    source=record.delivery.source,
                    project=record.delivery.project,
                    object=record.delivery.object,
                    origin="handler",
                    parent=record.delivery.id,
                ),
                now_ms + round(each.delay_s * 1000),
            )
        )
    return tuple(made)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="backslashreplace")).hexdigest()[:24]
