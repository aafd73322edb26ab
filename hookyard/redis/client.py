"""Redis clients, opened from a URL with the timeouts that their work needs.

Rule: the only module that opens Redis clients.
"""

from __future__ import annotations

from typing import Any

import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from arq.connections import ArqRedis

from hookyard.redis import arq_serializer
from hookyard.redis.urls import SENTINEL_SCHEME, Sentinels, parse_sentinel_url


def _options(url: str, timeout_s: float | None, connect_timeout_s: float) -> dict[str, Any]:
    options = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "health_check_interval": 0,
    }
    # redis-py refuses it for a unix socket, which has no use for it
    return options if url.startswith("unix://") else {**options, "socket_keepalive": True}


def _parsed(url: str) -> Sentinels | None:
    return parse_sentinel_url(url) if url.startswith(SENTINEL_SCHEME) else None


def open_redis(url: str, *, timeout_s: float | None, connect_timeout_s: float = 2.0) -> ArqRedis:
    """Return a client for *url*; it connects at its first command and reconnects after each loss.

    It is arq's own client with our serializer, so arq's cron and health key work with it.

    :param timeout_s: time limit of one command; ``None`` for a client that blocks (BLPOP).
    :raises ValueError: when *url* cannot be read.
    """
    options = _options(url, timeout_s, connect_timeout_s)
    sentinels = _parsed(url)
    client: ArqRedis
    if sentinels:
        watch = redis.asyncio.sentinel.Sentinel(
            sentinels.addresses, sentinel_kwargs={"socket_timeout": connect_timeout_s}
        )
        client = watch.master_for(
            sentinels.master,
            redis_class=ArqRedis,
            db=sentinels.db,
            username=sentinels.username,
            password=sentinels.password,
            **options,
        )
    else:
        client = ArqRedis.from_url(url, **options)
    client.job_serializer = arq_serializer.serialize
    client.job_deserializer = arq_serializer.deserialize
    return client


def open_sync_redis(url: str, *, timeout_s: float, connect_timeout_s: float = 2.0) -> redis.Redis:
    """Return a blocking client for *url*, for a thread of its own.

    :raises ValueError: when *url* cannot be read.
    """
    options = _options(url, timeout_s, connect_timeout_s)
    sentinels = _parsed(url)
    if sentinels is None:
        return redis.Redis.from_url(url, **options)
    watch = redis.sentinel.Sentinel(
        list(sentinels.addresses), sentinel_kwargs={"socket_timeout": connect_timeout_s}
    )
    found: redis.Redis = watch.master_for(
        sentinels.master,
        db=sentinels.db,
        username=sentinels.username,
        password=sentinels.password,
        **options,
    )
    return found


async def close(client: ArqRedis) -> None:
    """Close *client* and its connections, those to its sentinels as well."""
    await client.aclose(close_connection_pool=True)
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        await sentinel.aclose(close_connection_pool=True)
