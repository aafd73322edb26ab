"""What a scrape of an ingress tells: its own figures and its siblings', the spool's, the ledger's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.metrics import LedgerFigures
from ingress.metrics import spool_families
from ingress.siblings import Siblings, shared_directory
from ingress.spool.spool import CannotSpool

if TYPE_CHECKING:
    from hookyard.settings.settings import Settings
    from ingress.metrics import IngressMetrics
    from ingress.spool.spool import Spool

log = structlog.get_logger("ingress")


class Scraping:
    """Answers scrapes, from ``open`` to ``close``."""

    def __init__(self, settings: Settings, metrics: IngressMetrics, spool: Spool | None) -> None:
        self._metrics = metrics
        self._spool = spool
        self._ledger = LedgerFigures(
            settings.redis_url, LedgerKeys(prefix=settings.prefix), timeout_s=settings.redis_timeout_s
        )
        self._siblings: Siblings | None = None

    def open(self) -> None:
        """Count together with the other processes of this ingress, if it has any."""
        try:
            directory = shared_directory()
            if directory is not None:
                siblings = Siblings(directory, self._metrics.figures.numbers)
                siblings.join()
                self._siblings = siblings
                self._metrics.redis_away.forget()
        except OSError as exc:
            log.warning("/metrics tells of one process at a time: they cannot count together", error=str(exc))

    def close(self) -> None:
        """End it; what was counted stays for the siblings."""
        if self._siblings is not None:
            self._siblings.leave()
        self._ledger.close()

    async def text(self) -> bytes:
        """Return what a scrape shows."""
        families = await asyncio.to_thread(self._ledger.families)
        if self._spool is not None:
            try:
                depth = await self._spool.depth()
            except CannotSpool:
                depth = None
            families += spool_families(depth)
        return self._metrics.text(*families)
