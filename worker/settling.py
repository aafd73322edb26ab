"""Writes a try's end down, as often as it takes while Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hookyard.redis.errors import is_redis_away
from worker.dispatch import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookyard.ledger.claims import Settlement
    from hookyard.ledger.ledger import Ledger
    from hookyard.telemetry.redis_outage import Outage

_PAUSES_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


async def settle(
    ledger: Ledger,
    settlement: Settlement,
    first: asyncio.Future[bool],
    *,
    outage: Outage,
    may_stop: Callable[[], bool],
) -> None:
    """Settle; what a handler did is not forgotten because Redis was restarted meanwhile.

    :param first: the first attempt, which is under way or has failed.
    :param may_stop: asked while Redis is away; then the delivery falls due again by itself.
    :raises LeaseLost: when another worker has the delivery by now, or nobody was there to be told.
    """
    failures = 0
    attempt = first
    while True:
        try:
            written = await attempt
        except Exception as exc:
            if not is_redis_away(exc):
                raise
            outage.lost(exc)
            if may_stop():
                raise LeaseLost from exc
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1
            attempt = ledger.settle(settlement)
        else:
            if not written:
                raise LeaseLost
            return
