"""Deliveries out of GitLab's log, into the ledger: which of them it has, and how the others look there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hookyard.gitlab.events import describe
from hookyard.ledger.records import DELIVERY_ID, Delivery
from hookyard.settings.source_names import DEFAULT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hookyard.gitlab.missed import Logged
    from hookyard.ledger.ledger import Ledger


def id_in_ledger(delivery_id: str, source: str) -> str:
    """Return the id under which the ledger keeps a delivery of one GitLab."""
    return delivery_id if source == DEFAULT_SOURCE else f"{source}~{delivery_id}"


async def known_ids(ledger: Ledger, ids: Iterable[str], source: str) -> set[str]:
    """Return which of GitLab's ids the ledger has."""
    wanted = list(dict.fromkeys(ids))
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for one in wanted:
            pipe.exists(ledger.keys.delivery(id_in_ledger(one, source)))
        found = await pipe.execute() if wanted else []
    return {one for one, there in zip(wanted, found, strict=True) if there}


async def take(ledger: Ledger, one: Logged, source: str, *, now_ms: int) -> bool:
    """Keep a delivery of GitLab's log; return whether it is new and has an id that can be."""
    delivery_id = id_in_ledger(one.delivery_id, source)
    if not DELIVERY_ID.fullmatch(delivery_id):
        return False
    project, about = describe(json.loads(one.body))
    return await ledger.accept(
        Delivery(
            id=delivery_id,
            event=one.event,
            received_ms=now_ms,
            content_type="application/json",
            body=one.body,
            headers=one.headers,
            source=source,
            project=project,
            object=about,
            authenticated_by="GitLab's log, read with the access token",
            origin="gitlab-log",
            redacted=one.redacted,
        )
    )
