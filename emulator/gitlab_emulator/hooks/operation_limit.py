"""The limit of webhook tests and resends: five a minute for each project or group.

https://docs.gitlab.com/api/project_webhooks/#resend-a-project-webhook-event and
https://docs.gitlab.com/administration/settings/rate_limit_on_webhook_operations/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

OPERATIONS_PER_MINUTE = 5
MINUTE_S = 60


class OperationLimit:
    """Counts the turns of the current minute; those of earlier ones are forgotten."""

    def __init__(self) -> None:
        self._minute = 0
        self._taken: dict[object, int] = {}

    def take(self, key: object, now: datetime) -> bool:
        """Whether there is a turn left for this key; it is taken then."""
        minute = int(now.timestamp()) // MINUTE_S
        if minute != self._minute:
            self._minute, self._taken = minute, {}
        self._taken[key] = self._taken.get(key, 0) + 1
        return self._taken[key] <= OPERATIONS_PER_MINUTE
