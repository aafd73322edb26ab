"""``GET /metrics`` of an ingress: its own metrics, the spool's and the ledger's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.metrics import LedgerMetrics
from hookyard.telemetry.metrics import CONTENT_TYPE
from ingress.metrics import SpoolMetrics
from ingress.spool.spool import CannotSpool

if TYPE_CHECKING:
    from starlette.requests import Request

    from hookyard.settings.settings import Settings
    from ingress.metrics import IngressMetrics
    from ingress.spool.spool import Spool


class MetricsEndpoint:
    """Answers scrapes until ``close``."""

    def __init__(self, settings: Settings, metrics: IngressMetrics, spool: Spool | None) -> None:
        self._registry = metrics.registry
        self._ledger = LedgerMetrics(
            self._registry,
            settings.redis_url,
            LedgerKeys(prefix=settings.prefix),
            timeout_s=settings.redis_timeout_s,
        )
        self._spool = spool
        self._spool_metrics = SpoolMetrics(self._registry) if spool is not None else None

    def close(self) -> None:
        """Close the connection to Redis."""
        self._ledger.close()

    async def answer(self, _request: Request) -> Response:
        """Return the metrics as they are now."""
        if self._spool is not None and self._spool_metrics is not None:
            try:
                self._spool_metrics.depth = await self._spool.depth()
            except CannotSpool:
                self._spool_metrics.depth = None
        # in a thread: reading the ledger blocks
        return Response(await asyncio.to_thread(self._registry.render), media_type=CONTENT_TYPE)
