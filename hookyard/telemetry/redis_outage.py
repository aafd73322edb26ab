"""Redis outages as one process sees them: one log line when one starts, one when it ends, and metrics."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hookyard.telemetry.metrics import RedisAway


_NO_FILES_LEFT: Final = (errno.EMFILE, errno.ENFILE)


class Outage:
    """Whether Redis is available, by what it last answered. Safe to use from several threads."""

    def __init__(self, log: FilteringBoundLogger, metrics: RedisAway) -> None:
        self._log = log
        self._metrics = metrics
        self._since: float | None = None
        self.is_on = False
        """Whether an outage is under way."""

    def lost(self, error: BaseException) -> None:
        """Record that Redis did not do what it was asked to."""
        if self._since is None:
            self._since = time.monotonic()
            self.is_on = True
            self._metrics.began()
            if isinstance(error, OSError) and error.errno in _NO_FILES_LEFT:
                self._log.error("no file descriptor left to reach Redis with; raise the limit (ulimit -n)")
                return
            reason = str(error) or "no answer in time"
            self._log.error("Redis unavailable", error=f"{type(error).__name__}: {reason}")

    def found(self) -> None:
        """Record that it did."""
        since, self._since, self.is_on = self._since, None, False
        if since is not None:
            self._metrics.ended()
            self._log.info("Redis available again", after_s=round(time.monotonic() - since, 1))
