"""How long finished deliveries are kept: prunes those past it, oldest first, in small batches.

What still waits, runs or is retried is never pruned, however old.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookyard.redis import scripts

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys

BATCH: Final = 100
"""One call to Redis removes so many, in about a millisecond."""

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """What is kept, by age since it finished and by number; whichever ends first."""

    succeeded_days: float
    succeeded_count: int
    failed_days: float
    failed_count: int


async def prune(redis: ArqRedis, keys: LedgerKeys, keep: Keep, *, now_ms: int) -> int:
    """Remove what is past keeping; gives how many deliveries that were.

    ``ignored`` deliveries are kept like ``succeeded`` ones.
    """
    script = redis.register_script(scripts.source("prune"))
    removed = 0
    for key, days, count in (
        (keys.done, keep.succeeded_days, keep.succeeded_count),
        (keys.failed, keep.failed_days, keep.failed_count),
    ):
        while True:
            batch: int = await script(
                keys=[key, keys.received, keys.states],
                args=[keys.deliveries, int(now_ms - days * DAY_MS), count, BATCH],
            )
            removed += batch
            if batch < BATCH:
                break
    return removed
