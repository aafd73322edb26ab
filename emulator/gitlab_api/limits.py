"""The `RateLimit-*` headers: how many calls came in this minute.

They count and nothing else: nobody is turned away until a test orders a fault, so `Remaining` stops
at one. Names and meaning: docs.gitlab.com/administration/settings/user_and_ip_rate_limits#response-headers
"""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

CALLS_PER_MINUTE = 2_000


class CallCount:
    """Calls in the current minute of the clock."""

    def __init__(self) -> None:
        self._minute: datetime | None = None
        self._calls = 0

    def count(self, now: datetime) -> dict[str, str]:
        """Count one call; the headers for its answer."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._calls = minute, 0
        self._calls += 1
        reset = minute + timedelta(minutes=1)
        return {
            "RateLimit-Limit": str(CALLS_PER_MINUTE),
            "RateLimit-Name": "throttle_authenticated_api",
            "RateLimit-Observed": str(self._calls),
            "RateLimit-Remaining": str(max(CALLS_PER_MINUTE - self._calls, 1)),
            "RateLimit-Reset": str(int(reset.timestamp())),
            "RateLimit-ResetTime": format_datetime(reset, usegmt=True),
        }
