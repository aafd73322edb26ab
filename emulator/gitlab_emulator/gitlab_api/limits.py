"""The rate limit: calls per account and minute.

Headers and answer: docs.gitlab.com/administration/settings/user_and_ip_rate_limits#response-headers .
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

CALLS_PER_MINUTE = 2_000
MAX_PER_MINUTE = 1_000_000
TOO_MANY = "Retry later\n"


class RateLimitError(ValueError):
    """The limit cannot be that; the text says what it may be."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The headers for a call's answer, and whether the call is one too many."""

    headers: dict[str, str]
    too_many: bool


class RateLimit:
    """Calls in the current minute of the clock, per account.

    `per_minute` is how many of them are answered; None turns nobody away. Then the headers speak of
    `CALLS_PER_MINUTE` and of at least one call that is left.
    """

    def __init__(self, per_minute: int | None = None) -> None:
        self.per_minute = per_minute
        self._minute: datetime | None = None
        self._calls: dict[int | None, int] = {}

    def count(self, user_id: int | None, now: datetime) -> Counted:
        """Count one call of this account; of None for calls whose token nobody knows."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._calls = minute, {}
        calls = self._calls[user_id] = self._calls.get(user_id, 0) + 1
        limit = CALLS_PER_MINUTE if self.per_minute is None else self.per_minute
        too_many = self.per_minute is not None and calls > self.per_minute
        reset = minute + timedelta(minutes=1)
        known = "unauthenticated" if user_id is None else "authenticated"
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Name": f"throttle_{known}_api",
            "RateLimit-Observed": str(calls),
            "RateLimit-Remaining": str(max(limit - calls, 1 if self.per_minute is None else 0)),
            "RateLimit-Reset": str(int(reset.timestamp())),
            "RateLimit-ResetTime": format_datetime(reset, usegmt=True),
        }
        if too_many:
            headers["Retry-After"] = str(max(int((reset - now).total_seconds()), 1))
        return Counted(headers=headers, too_many=too_many)


def read_per_minute(data: object) -> int | None:
    """The limit that a JSON body such as `{"per_minute": 5}` sets."""
    value = data.get("per_minute", 0) if isinstance(data, dict) else 0
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PER_MINUTE:
        raise RateLimitError(f"per_minute must be a whole number from 1 to {MAX_PER_MINUTE}, or null")
    return value
