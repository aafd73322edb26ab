"""How losing Redis is told: one line when it is lost, one when it is found again, and the metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hookyard.telemetry.metrics import RedisAway


class Outage:
    """Whether Redis is away, as one process sees it. Safe to use from several threads."""

    def __init__(self, log: FilteringBoundLogger, counted: RedisAway) -> None:
        self._log = log
        self._counted = counted
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether Redis was away when it was last asked."""
        return self._since is not None

    def lost(self, error: BaseException) -> None:
        """Note that Redis did not do what it was asked to."""
        if self._since is None:
            self._since = time.monotonic()
            self._counted.began()
            words = str(error) or "no answer in time"
            self._log.error("Redis is away", error=f"{type(error).__name__}: {words}")

    def found(self) -> None:
        """Note that it did."""
        since, self._since = self._since, None
        if since is not None:
            self._counted.ended()
            self._log.info("Redis is back", after_s=round(time.monotonic() - since, 1))
