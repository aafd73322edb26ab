"""Which workers live: each says so every quarter of a minute, in Redis and by Redis's clock.

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

SAYS_EVERY_S: Final = 15.0
GONE_AFTER_MS: Final = 45_000
"""A worker that has said nothing for so long counts as gone."""


async def beat(ledger: Ledger, worker: str) -> None:
    """Say that *worker* lives until this is cancelled; bears Redis being away."""
    is_first = True
    while True:
        with contextlib.suppress(RedisError, OSError):  # told by whoever claims; said again soon
            await _beat_once(ledger, worker, and_forget=is_first)
            is_first = False
        await asyncio.sleep(SAYS_EVERY_S)


async def _beat_once(ledger: Ledger, worker: str, *, and_forget: bool) -> None:
    """Say it; *and_forget* those that died: each that starts does, so that there are never many."""
    now_ms = ledger.redis_now_ms()
    async with ledger.redis.pipeline(transaction=False) as pipe:
        if and_forget:
            pipe.zremrangebyscore(ledger.keys.workers, "-inf", now_ms - GONE_AFTER_MS)
        pipe.zadd(ledger.keys.workers, {worker: now_ms})
        pipe.pexpire(ledger.keys.workers, GONE_AFTER_MS)  # the key goes with the last worker
        await pipe.execute()


async def leave(ledger: Ledger, worker: str) -> None:
    """Say that *worker* has ended; raises what Redis raises."""
    await ledger.redis.zrem(ledger.keys.workers, worker)


async def alive(redis: ArqRedis, keys: LedgerKeys) -> list[str]:
    """Return the names of the workers that live; raises what Redis raises."""
    seconds, micros = await redis.time()
    since_ms = seconds * 1000 + micros // 1000 - GONE_AFTER_MS
    alive = await redis.zrangebyscore(keys.workers, since_ms, "+inf")
    return sorted(name.decode(errors="replace") for name in alive)
