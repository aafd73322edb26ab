"""How a process reaches Redis: from a URL to a client, with the timeouts that its work needs.

Rule: the only place that opens Redis clients, and that prints a URL (never with its password).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from arq.connections import ArqRedis
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from deliveries import queue


class NotReplicated(Exception):
    """Redis has it, but too few of its replicas confirmed it in time."""


REDIS_AWAY: Final = (
    OSError,
    NotReplicated,
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
)
"""What redis-py raises while Redis cannot be reached or cannot take a write: worth trying again later."""

_AWAY_CODES: Final = (
    "OOM",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "BUSY",
    "UNKILLABLE",
)


def is_redis_away(exc: BaseException) -> bool:
    """Return whether *exc* says that Redis is away or refuses writes for now, not that we made a mistake.

    Redis wraps the code that a script's command met (``READONLY … script: …``), so the text is read too.
    """
    if isinstance(exc, REDIS_AWAY):
        return True
    return isinstance(exc, ResponseError) and any(
        code in str(exc).split(" script:")[0] for code in _AWAY_CODES
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentinels:
    """What a ``redis+sentinel://`` URL says."""

    addresses: tuple[tuple[str, int], ...]
    master: str
    db: int
    username: str | None
    password: str | None


def parse_sentinel_url(url: str) -> Sentinels:
    """Read ``redis+sentinel://[user:password@]host:port,host:port/master[/db]``.

    The password is that of Redis; sentinels are asked without one.

    :raises ValueError: with what is wrong with it.
    """
    rest = url.removeprefix("redis+sentinel://")
    place, _, path = rest.partition("/")
    credentials, _, hosts = place.rpartition("@")
    username, _, password = credentials.partition(":")
    addresses = []
    for address in filter(None, hosts.split(",")):
        host, _, port = address.rpartition(":") if ":" in address else (address, "", "26379")
        if not host or not port.isdigit():
            message = f"{address!r} is not host:port"
            raise ValueError(message)
        addresses.append((host, int(port)))
    master, _, db = path.partition("/")
    if not addresses or not master or not (db or "0").isdigit():
        message = "it must be redis+sentinel://host:port,host:port/master/db"
        raise ValueError(message)
    return Sentinels(
        addresses=tuple(addresses),
        master=master,
        db=int(db or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
    )


def masked(url: str) -> str:
    """Return *url* with its password replaced, for logs and messages."""
    if url.startswith("redis+sentinel://"):
        credentials, at, rest = url.removeprefix("redis+sentinel://").rpartition("@")
        return f"redis+sentinel://{credentials.partition(':')[0] + ':***' if credentials else ''}{at}{rest}"
    parts = urlsplit(url)
    credentials, at, place = parts.netloc.rpartition("@")
    if credentials:
        credentials = credentials.partition(":")[0] + ":***"
    query = "&".join(
        "password=***" if pair.startswith("password=") else pair for pair in parts.query.split("&")
    )
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{place}", query=query))


def _options(timeout_s: float | None, connect_timeout_s: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "socket_keepalive": True,
        "health_check_interval": 0,
    }


def _parsed(url: str) -> Sentinels | None:
    return parse_sentinel_url(url) if url.startswith("redis+sentinel://") else None


def open_redis(url: str, *, timeout_s: float | None, connect_timeout_s: float = 2.0) -> ArqRedis:
    """Return a client for *url*; it connects at its first command, and again after each loss.

    It is arq's own client, so that arq's cron and health key work with it, with our serializer.

    :param timeout_s: how long one command may take; ``None`` for a client that blocks (BLPOP).
    :raises ValueError: when *url* cannot be read.
    """
    options = _options(timeout_s, connect_timeout_s)
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
    client.job_serializer = queue.serialize
    client.job_deserializer = queue.deserialize
    return client


def open_sync_redis(url: str, *, timeout_s: float, connect_timeout_s: float = 2.0) -> redis.Redis:
    """Return a blocking client for *url*, for a thread of its own.

    :raises ValueError: when *url* cannot be read.
    """
    options = _options(timeout_s, connect_timeout_s)
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
