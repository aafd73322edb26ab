"""What a fleet of workers does once a minute, as an arq cron job: one of them prunes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from arq.cron import cron

from hookyard.ledger.retention import Retention, prune_once
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from arq.cron import CronJob
    from arq.typing import WorkerCoroutine

    from hookyard.ledger.ledger import Ledger
    from hookyard.settings.settings import Settings

log = logs.get_logger("worker")


def housekeeping(settings: Settings, ledger: Ledger) -> list[CronJob]:
    """Return the cron jobs; arq's unique job ids let each be run by one worker only."""
    policy = Retention(
        succeeded_days=settings.keep_succeeded_days,
        succeeded_count=settings.keep_succeeded_count,
        failed_days=settings.keep_failed_days,
        failed_count=settings.keep_failed_count,
        memory=settings.keep_memory,
    )

    async def prune_finished(_ctx: dict[str, Any]) -> None:
        removed = 0
        while pruned := await prune_once(ledger, policy):
            removed += pruned
        if removed:
            log.info("pruned", deliveries=removed)

    return [cron(cast("WorkerCoroutine", prune_finished), name="cron:hookyard-prune", second=7)]
