"""Retention: prune finished deliveries by age, by number, and by the memory that Redis may use.

What is unfinished is never pruned, however old. Several workers may prune at the same time: each step is
one script, and Redis's clock decides what is past keeping.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from hookyard.ledger.ledger import Ledger
    from hookyard.settings.types import MemoryLimit

BATCH: Final = 100
"""Deliveries that one script call removes, in about a millisecond."""

MOST_S: Final = 0.5
"""How long one :func:`prune_once` goes on; what is left is for the next."""

DAY_MS: Final = 86_400_000
_EVERYTHING_MS: Final = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """What is kept of finished deliveries: by age, by number and by memory, whichever ends first."""

    succeeded_days: float
    succeeded_count: int
    failed_days: float
    failed_count: int
    memory: MemoryLimit


async def prune_once(ledger: Ledger, policy: Retention) -> int:
    """Remove what is past keeping, oldest first, and return how many deliveries lost a body or their record.

    ``ignored`` deliveries are kept like ``succeeded`` ones. Where Redis uses more memory than *policy*
    allows, room is made in this order: bodies of succeeded and ignored deliveries, their records, bodies
    of failed ones, their records. All of it works on a full Redis. Call it again soon where it returns
    more than 0.
    """
    until = time.monotonic() + MOST_S
    keys = ledger.keys
    pruned = 0
    for key, days, count in (
        (keys.done, policy.succeeded_days, policy.succeeded_count),
        (keys.failed, policy.failed_days, policy.failed_count),
    ):
        while time.monotonic() < until:
            batch = await _prune(ledger, key, keep_ms=int(days * DAY_MS), keep_most=count)
            pruned += batch
            if batch < BATCH:
                break
    return pruned + await _make_room(ledger, policy.memory, until)


async def _make_room(ledger: Ledger, limit: MemoryLimit, until: float) -> int:
    """Drop bodies, then records, until Redis uses less than *limit*; return how many deliveries it met."""
    keys = ledger.keys
    steps: tuple[Callable[[], Awaitable[int]], ...] = (
        lambda: _drop_bodies(ledger, keys.done, "done"),
        lambda: _prune(ledger, keys.done, keep_ms=_EVERYTHING_MS, keep_most=0),
        lambda: _drop_bodies(ledger, keys.failed, "failed"),
        lambda: _prune(ledger, keys.failed, keep_ms=_EVERYTHING_MS, keep_most=0),
    )
    met = 0
    for step in steps:
        while True:
            if time.monotonic() > until or await _surplus_bytes(ledger.redis, limit) <= 0:
                return met  # what comes in meanwhile must not cost the next step's deliveries
            batch = await step()
            met += batch
            if batch == 0:
                break
    return met


async def _prune(ledger: Ledger, key: str, *, keep_ms: int, keep_most: int) -> int:
    pruned: int = await ledger.scripts.call(
        "prune",
        keys=[key, ledger.keys.received, ledger.keys.states],
        args=[ledger.keys.deliveries, keep_ms, keep_most, BATCH],
    )
    return pruned


async def _drop_bodies(ledger: Ledger, key: str, field: str) -> int:
    looked_at: int = await ledger.scripts.call(
        "drop_bodies", keys=[key, ledger.keys.dropped], args=[ledger.keys.deliveries, field, BATCH]
    )
    return looked_at


async def _surplus_bytes(redis: Redis, limit: MemoryLimit) -> int:
    """Return how many bytes Redis uses beyond *limit*; 0 where it does not show its memory."""
    try:
        memory: dict[str, Any] = await redis.info("memory")
    except ResponseError:  # INFO may be refused (managed Redis, ACL)
        return 0
    allowed = limit.allowed_bytes(int(memory.get("maxmemory", 0)))
    if allowed is None:
        return 0
    return int(memory["used_memory"]) - int(memory.get("mem_not_counted_for_evict", 0)) - allowed
