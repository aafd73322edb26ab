"""A look at Redis for ``hookyard check``: its state, its clock, the workers and the queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from hookyard.cli.check import live_rules, rules
from hookyard.cli.check.finding import Finding, Level, fault
from hookyard.cli.ledger_session import connection_error
from hookyard.ledger.heartbeats import alive
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis.client import close, open_redis
from hookyard.redis.errors import is_redis_away

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arq.connections import ArqRedis

    from hookyard.cli.context import CliContext


async def redis_findings(context: CliContext) -> list[Finding]:
    """Return the findings about Redis and about what the ledger in it shows."""
    settings = context.settings
    redis = open_redis(settings.redis_url, timeout_s=5)
    try:
        info = await _info(redis)
        found = rules.of_redis(settings.masked_redis_url, info, await _config(redis))
        if any(one.level is Level.FAULT for one in found):
            return found
        keys = LedgerKeys(prefix=settings.prefix)
        await Ledger(redis, keys).probe()
        found.append(live_rules.of_redis_clock(await _ahead_s(redis)))
        listing = Listing(redis, keys)
        stats = await listing.stats()
        found += live_rules.of_workers(await alive(redis, keys), stats)
        found += live_rules.of_retention(
            keep_days=settings.keep_succeeded_days,
            keep_count=settings.keep_succeeded_count,
            allowed_bytes=settings.keep_memory.allowed_bytes(int(info.get("maxmemory", 0))),
            used_bytes=int(info.get("used_memory", 0)),
            total=stats.total,
            per_day=await listing.received_per_day(),
        )
    except (RedisError, OSError) as exc:
        return [fault("redis", *connection_error(context, exc))]
    finally:
        await close(redis)
    return found


async def _ahead_s(redis: ArqRedis) -> float:
    """Return how far Redis's clock is ahead of ours; half of the round trip counts as ours."""
    asked = time.time()
    seconds, micros = await redis.time()
    return float(seconds + micros / 1e6 - (asked + time.time()) / 2)


async def _info(redis: ArqRedis) -> dict[str, Any]:
    """Return the sections of INFO that matter, as one mapping."""
    info: dict[str, Any] = {}
    for section in ("server", "persistence", "memory", "replication"):
        info |= await redis.info(section)
    return info


async def _config(redis: ArqRedis) -> Mapping[str, str] | None:
    """Return the answers of CONFIG GET, ``None`` where it is refused (managed Redis, or by ACL)."""
    config: dict[str, str] = {}
    try:
        for name in ("appendfsync", "maxmemory-policy"):
            answer = await redis.config_get(name)
            config |= {_text(key): _text(value) for key, value in answer.items()}
    except RedisError as exc:
        if is_redis_away(exc):
            raise
        return None
    return config


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
