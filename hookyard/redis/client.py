"""How a process reaches Redis: from a URL to a client, with the timeouts that its work needs.

Rule: the only place that opens Redis clients, and that prints a URL (never with its password).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from arq.connections import ArqRedis
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from hookyard.redis import arq_serializer


class NotReplicated(Exception):
    """Redis has it, but too few of its replicas confirmed it in time."""


REDIS_AWAY: Final = (
    OSError,
    NotReplicated,
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)
"""What redis-py raises while Redis cannot be reached or does not take our writes: worth trying again."""

_AWAY_CODES: Final = (
    "OOM",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "NOPERM",
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


_SENTINEL: Final = "redis+sentinel://"
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?"
)
_STOP_AGAIN_S: Final = 0.1
_HIGHEST_PORT: Final = 65535
_ENCODE: Final = "; write / as %2F, # as %23, ? as %3F and @ as %40 in a password"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentinels:
    """What a ``redis+sentinel://`` URL says."""

    addresses: tuple[tuple[str, int], ...]
    master: str
    db: int
    username: str | None
    password: str | None


def check_url(url: str) -> None:
    """Return when *url* is one that the functions below can open.

    :raises ValueError: saying what is wrong without a word of *url*: any part may be one of a password.
    """
    if url.startswith(_SENTINEL):
        parse_sentinel_url(url)
        return
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it must begin with redis://, rediss://, unix:// or redis+sentinel://")
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError(f"its host or port cannot be read{_ENCODE}") from None
    wrong = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if not _may_be_in_url(name)]
    if wrong or parts.fragment:
        raise ValueError(f"its options may be db, username, password, client_name and ssl_…{_ENCODE}")
    if parts.scheme == "unix" and (parts.hostname or not parts.path.strip("/")):
        raise ValueError("it must be unix:///path/of/the/socket")
    if parts.scheme != "unix" and not parts.hostname:
        raise ValueError(f"it names no host{_ENCODE}")
    if parts.scheme != "unix" and not (parts.path.removesuffix("/").removeprefix("/") or "0").isdigit():
        raise ValueError(f"its path must be the number of a database{_ENCODE}")
    try:
        redis.asyncio.ConnectionPool.from_url(url).make_connection()
    except (ValueError, TypeError, RedisError):
        raise ValueError("one of its options cannot be used, or not with this kind of URL") from None


def _may_be_in_url(option: str) -> bool:
    """What else redis-py would take from a URL is ours to set: timeouts, and how answers are read."""
    return option in {"db", "username", "password", "client_name"} or option.startswith("ssl_")


def parse_sentinel_url(url: str) -> Sentinels:
    """Read ``redis+sentinel://[user:password@]host:port,host:port/master[/db]``.

    The password is that of Redis; sentinels are asked without one.

    :raises ValueError: with what is wrong with it, without a word of it.
    """
    place, _, path = url.removeprefix(_SENTINEL).partition("/")
    credentials, _, hosts = place.rpartition("@")
    username, _, password = credentials.partition(":")
    addresses = []
    for address in filter(None, hosts.split(",")):
        found = _ADDRESS.fullmatch(address)
        port = int(found["port"] or 26379) if found else 0
        if not found or not 0 < port <= _HIGHEST_PORT:
            raise ValueError(f"one of its addresses is not host:port{_ENCODE}")
        addresses.append((found["ipv6"] or found["name"], port))
    master, _, db = path.partition("/")
    if not addresses or not master or not (db or "0").isdigit():
        raise ValueError(f"it must be redis+sentinel://host:port,host:port/master/db{_ENCODE}")
    return Sentinels(
        addresses=tuple(addresses),
        master=master,
        db=int(db or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
    )


def masked(url: str) -> str:
    """Return *url* with its password replaced, for logs and messages; it need not be a good one."""
    scheme, sep, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, place = rest.rpartition("@")
    if at and not (scheme == "unix" and rest.startswith("/")):
        user, colon, _ = credentials.partition(":")
        rest = f"{user if colon else ''}{colon}***@{place}"
    return scheme + sep + re.sub(r"(?i)(password=)[^&]*", r"\1***", rest)


def _cut(url: str) -> tuple[str, str, str]:
    """Return the parts of *url*: what precedes its credentials, these, and what follows them."""
    scheme, _, rest = url.partition("://")
    if rest.startswith("/"):  # the path of a socket, which may hold an @
        return f"{scheme}://", "", rest
    credentials, _, place = rest.rpartition("@")
    return f"{scheme}://", credentials, place


def has_password(url: str) -> bool:
    """Return whether *url* holds a password, in either of the two places for one."""
    return ":" in _cut(url)[1] or re.search(r"(?i)[?&]password=.", url) is not None


def with_password(url: str, password: str) -> str:
    """Return *url*, which holds none, with *password*."""
    scheme, user, place = _cut(url)
    return f"{scheme}{user}:{quote(password, safe='')}@{place}"


def _options(url: str, timeout_s: float | None, connect_timeout_s: float) -> dict[str, Any]:
    options = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "health_check_interval": 0,
    }
    # redis-py refuses it for a unix socket, which has no use for it
    return options if url.startswith("unix://") else {**options, "socket_keepalive": True}


def _parsed(url: str) -> Sentinels | None:
    return parse_sentinel_url(url) if url.startswith(_SENTINEL) else None


def open_redis(url: str, *, timeout_s: float | None, connect_timeout_s: float = 2.0) -> ArqRedis:
    """Return a client for *url*; it connects at its first command, and again after each loss.

    It is arq's own client, so that arq's cron and health key work with it, with our serializer.

    :param timeout_s: how long one command may take; ``None`` for a client that blocks (BLPOP).
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


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task that talks to Redis, and return once it has ended; what it raised is raised here.

    One cancellation is not enough: redis-py has ``asyncio.wait_for`` in every command, which on Python
    3.11 loses one that comes just as the command is done (CPython issue 86296; 3.12 mended it).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_STOP_AGAIN_S)
    if not task.cancelled():
        task.result()
