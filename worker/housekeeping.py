"""Pruning by settings. Every worker of a fleet does it; several at the same time do no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookyard.ledger.retention import Retention, prune_once
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hookyard.ledger.ledger import Ledger
    from hookyard.settings.settings import Settings

log = logs.get_logger("worker")


def pruner(settings: Settings, ledger: Ledger) -> Callable[[], Awaitable[bool]]:
    """Return a function that prunes for a short while and returns whether there may be more to prune."""
    policy = Retention(
        succeeded_days=settings.keep_succeeded_days,
        succeeded_count=settings.keep_succeeded_count,
        failed_days=settings.keep_failed_days,
        failed_count=settings.keep_failed_count,
        memory=settings.keep_memory,
    )

    async def prune() -> bool:
        pruned = await prune_once(ledger, policy)
        if pruned:
            log.info("pruned", deliveries=pruned)
        return pruned > 0

    return prune
