"""Lease renewal: every third of a lease's length, for all deliveries that a worker runs.

It runs in the supervisor's own loop, which no handler can block.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hookyard.host.clock import boot_s
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

log = logs.get_logger("worker")

_RETRY_SHARE: Final = 10
_START_SHARE: Final = 3
"""A handler starts only while this part of its lease is left; a lease that is renewed in time has more."""


class LeaseKeeper:
    """The leases that a worker holds, by delivery id.

    :param renew: prolongs leases, pairs of delivery id and fencing token, and returns those that are lost.
    :param on_lost: called with each lease that is lost.
    """

    def __init__(
        self,
        renew: Callable[[Sequence[tuple[str, str]]], Awaitable[Sequence[tuple[str, str]]]],
        *,
        lease_ms: int,
    ) -> None:
        self.on_lost: Callable[[str, str], None] = lambda _delivery_id, _token: None
        self._renew = renew
        self._lease_s = lease_ms / 1000
        self._held: dict[str, tuple[str, float]] = {}  # token, and until when it surely holds

    @staticmethod
    def now_s() -> float:
        """Return the time that leases are reckoned by here."""
        return boot_s()

    def hold(self, delivery_id: str, token: str, *, since_s: float) -> None:
        """Renew this lease from now on.

        :param since_s: when it was asked for; it began at that time or later.
        """
        self._held[delivery_id] = (token, since_s + self._lease_s)

    def renewed(self, delivery_id: str, token: str, *, since_s: float) -> None:
        """Note that it was prolonged by other means: a checkpoint."""
        if self._held.get(delivery_id, ("", 0.0))[0] == token:
            self._held[delivery_id] = (token, since_s + self._lease_s)

    def start_by(self, delivery_id: str, token: str) -> float | None:
        """Return until when a handler may start under this lease; ``None`` when that time has passed.

        As far as this machine's clock can tell no other worker can have the delivery by then. It has passed
        after this process was paused, or Redis away, for too long.
        """
        held, until = self._held.get(delivery_id, ("", 0.0))
        start_by = until - self._lease_s / _START_SHARE
        return start_by if held == token and boot_s() < start_by else None

    def drop(self, delivery_id: str, token: str) -> None:
        """Renew it no more."""
        if self._held.get(delivery_id, ("", 0.0))[0] == token:
            del self._held[delivery_id]

    async def keep(self) -> None:
        """Renew until this is cancelled."""
        third_s = self._lease_s / 3
        while True:
            try:
                await self.renew_all()
                pause_s = third_s
            except Exception as exc:
                if not is_redis_away(exc):
                    log.exception("lease renewal failed")
                pause_s = third_s / _RETRY_SHARE  # renewed as soon as Redis is back
            await asyncio.sleep(pause_s)

    async def renew_all(self) -> None:
        """Renew all leases once; raises what Redis raises."""
        leases = [(delivery_id, token) for delivery_id, (token, _) in self._held.items()]
        if not leases:
            return
        since_s = boot_s()
        lost = await self._renew(leases)
        for lease in lost:
            self.drop(*lease)
        for lease in leases:
            self.renewed(*lease, since_s=since_s)
        for lease in lost:
            self.on_lost(*lease)
