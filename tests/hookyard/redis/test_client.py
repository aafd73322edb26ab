"""From a URL to a client: what it may be, what is shown of it, what counts as away."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from arq.connections import ArqRedis
from redis import exceptions

from hookyard.redis import arq_serializer
from hookyard.redis.client import (
    Sentinels,
    check_url,
    close,
    is_redis_away,
    masked,
    open_redis,
    open_sync_redis,
    parse_sentinel_url,
    stop,
)
from hookyard.redis.embedded import EmbeddedRedis, find_server

GOOD = [
    "redis://127.0.0.1:6379/0",
    "redis://redis",
    "redis://redis:6379",
    "redis://redis:6379/",
    "redis://[::1]:6379/3",
    "redis://user:p%2Fss%40@redis:6379/0",
    "redis://:pass@redis/0?client_name=me",
    "rediss://redis:6380/1?ssl_cert_reqs=none",
    "unix:///run/redis.sock",
    "unix:///run/redis.sock?db=2",
    "unix://user:pass@/run/redis.sock",
    "unix:///run/redis@1.sock",
    "redis+sentinel://a:26379,b:26379/mymaster/0",
    "redis+sentinel://user:pass@a,b/mymaster",
    "redis+sentinel://[::1]:26379,[::2]/mymaster",
]

BAD = [
    "",
    "redis",
    "hunter2@redis:6379",
    "user:hunter2@redis:6379",
    "http://hunter2@redis",
    "redis:/hunter2",
    "redis://:hunt/er2@redis",
    "redis://:hunt#er2@redis:6379",
    "redis://:hunt?er2@redis:6379",
    "redis://hunter2:x@redis:port/0",
    "redis://redis:99999/0",
    "redis://redis:6379/hunter2",
    "redis://redis:6379/-1",
    "redis://redis:6379/0/1",
    "redis://[::1/hunter2",
    "redis://:hunter2",
    "redis://user:hunter2",
    "redis://:hunter2@",
    "redis://redis/0?socket_timeout=hunter2",
    "redis://redis/0?socket_timeout=60",
    "redis://redis/0?hunter2=1",
    "redis://redis/0?decode_responses=True",
    "redis://redis/0?protocol=3",
    "redis://redis/0?ssl_cert_reqs=none",
    "rediss://redis/0?ssl_cert_reqs=hunter2",
    "unix://",
    "unix://hunter2@",
    "unix://hunter2/redis.sock",
    "unix:///run/redis.sock?db=hunter2",
    "redis+sentinel://",
    "redis+sentinel://a:26379",
    "redis+sentinel://a:26379/",
    "redis+sentinel:///mymaster",
    "redis+sentinel://a:hunter2/mymaster",
    "redis+sentinel://a:99999/mymaster",
    "redis+sentinel://:hunt/er2@a:26379/mymaster",
    "redis+sentinel://a:26379/mymaster/hunter2",
    "redis+sentinel://[::1/mymaster",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_good_url_can_be_opened(url):
    check_url(url)
    for client in (open_redis(url, timeout_s=1), open_sync_redis(url, timeout_s=1)):
        if "sentinel" not in url:
            client.connection_pool.make_connection()


@pytest.mark.parametrize("url", BAD)
def test_a_bad_url_is_refused_without_a_word_of_it(url):
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_url(url)
    text = str(caught.value)
    assert not any(part in text for part in ("hunt", "er2", "99999", "6379/"))
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://:hunter2@redis:6379/0", "redis://:***@redis:6379/0"),
        ("redis://user:hunter2@redis/0", "redis://user:***@redis/0"),
        ("redis://hunter2@redis/0", "redis://***@redis/0"),
        ("redis://user:hunt@er2@redis/0", "redis://user:***@redis/0"),
        ("redis://user:hunt/er2@redis/0", "redis://user:***@redis/0"),
        ("redis://redis/0?password=hunter2&db=1", "redis://redis/0?password=***&db=1"),
        ("redis://redis/0?x=1&Password=hunter2", "redis://redis/0?x=1&Password=***"),
        ("redis://user:hunt://er2@redis", "redis://user:***@redis"),
        ("user:hunter2@redis:6379", "user:***@redis:6379"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0"),
        ("unix:///run/redis@1.sock", "unix:///run/redis@1.sock"),
        ("unix://user:hunter2@/run/redis.sock", "unix://user:***@/run/redis.sock"),
        ("redis+sentinel://a:1,b:2/m/0", "redis+sentinel://a:1,b:2/m/0"),
        ("redis+sentinel://:hunter2@a:1/m", "redis+sentinel://:***@a:1/m"),
        ("redis+sentinel://user:hunter2@a:1,b:2/m", "redis+sentinel://user:***@a:1,b:2/m"),
        ("redis://[::1", "redis://[::1"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "redis+sentinel://a:1,b/m/2",
            Sentinels(addresses=(("a", 1), ("b", 26379)), master="m", db=2, username=None, password=None),
        ),
        (
            "redis+sentinel://us%40er:p%2Fw@[::1]:1,[::2]/m",
            Sentinels(
                addresses=(("::1", 1), ("::2", 26379)), master="m", db=0, username="us@er", password="p/w"
            ),
        ),
        (
            "redis+sentinel://:pw@a/m/",
            Sentinels(addresses=(("a", 26379),), master="m", db=0, username=None, password="pw"),
        ),
    ],
)
def test_a_sentinel_url_is_read(url, expected):
    assert parse_sentinel_url(url) == expected


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncio.IncompleteReadError(b"", 1), False),
        (exceptions.ConnectionError("gone"), True),
        (exceptions.TimeoutError(), True),
        (exceptions.BusyLoadingError(), True),
        (exceptions.ReadOnlyError(), True),
        (exceptions.OutOfMemoryError(), True),
        (exceptions.ResponseError("OOM command not allowed when used memory > 'maxmemory'"), True),
        (exceptions.ResponseError("READONLY You can't write against a read only replica. script: abc"), True),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), True),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (exceptions.NoPermissionError("this user has no permissions to run the 'set' command"), True),
        (exceptions.AuthenticationError("invalid username-password pair"), True),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), True),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), False),
        (exceptions.ResponseError("ERR unknown command"), False),
        (exceptions.NoScriptError(), False),
        (exceptions.DataError(), False),
        (KeyError("x"), False),
        (asyncio.CancelledError(), False),
    ],
    ids=repr,
)
def test_what_counts_as_away(error, away):
    assert is_redis_away(error) is away


async def test_the_client_is_arqs_with_our_serializer(redis_url):
    client = open_redis(redis_url, timeout_s=5)
    try:
        assert isinstance(client, ArqRedis)
        assert (client.job_serializer, client.job_deserializer) == (
            arq_serializer.serialize,
            arq_serializer.deserialize,
        )
        assert await client.ping()
    finally:
        await close(client)


async def test_both_clients_work_over_a_unix_socket(tmp_path):
    server = EmbeddedRedis(tmp_path, server=find_server())
    server.start()
    try:
        assert server.url.startswith("unix://")
        client = open_redis(server.url, timeout_s=5)
        try:
            assert await client.set("key", "value")
        finally:
            await close(client)
        with open_sync_redis(server.url, timeout_s=5) as blocking:
            assert blocking.get("key") == b"value"
    finally:
        server.stop()


async def test_a_command_that_takes_too_long_ends_in_an_error_that_counts_as_away(redis_url):
    client = open_redis(redis_url, timeout_s=0.05)
    try:
        with pytest.raises(exceptions.TimeoutError) as caught:
            await client.blpop("nothing", 5)
        assert is_redis_away(caught.value)
    finally:
        await close(client)


async def test_a_task_is_stopped_although_it_loses_a_cancellation():
    async def forgetful():
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    task = asyncio.create_task(forgetful())
    await asyncio.sleep(0)
    await asyncio.wait_for(stop(task), 5)
    assert task.cancelled()
    await stop(task)


async def test_a_task_that_failed_says_so_when_it_is_stopped():
    async def fail():
        raise ValueError("lost")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="lost"):
        await stop(task)
