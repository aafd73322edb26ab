"""Heartbeats of workers: each beats every quarter of a minute, by Redis's clock.

arq's own health key is one for all workers, and the first that stops takes it away.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys
    from hookyard.ledger.ledger import Ledger

BEATS_EVERY_S: Final = 15.0
GONE_AFTER_MS: Final = 45_000
"""A worker that has been silent for this long counts as gone."""


async def beat(ledger: Ledger, worker: str) -> None:
    """Beat for *worker* until this is cancelled; tolerates Redis outages."""
    while True:
        with contextlib.suppress(RedisError, OSError):  # the claims report an outage; the next beat is soon
            await ledger.scripts.call("beat", keys=[ledger.keys.workers], args=[worker, GONE_AFTER_MS])
        await asyncio.sleep(BEATS_EVERY_S)


async def leave(ledger: Ledger, worker: str) -> None:
    """Record that *worker* has ended; raises what Redis raises."""
    await ledger.redis.zrem(ledger.keys.workers, worker)


async def alive(redis: ArqRedis, keys: LedgerKeys) -> list[str]:
    """Return the names of the workers that are alive; raises what Redis raises."""
    seconds, micros = await redis.time()
    since_ms = seconds * 1000 + micros // 1000 - GONE_AFTER_MS
    alive = await redis.zrangebyscore(keys.workers, since_ms, "+inf")
    return sorted(name.decode(errors="replace") for name in alive)
