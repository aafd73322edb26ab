"""Redis clients: arq's own, and a blocking one."""

from __future__ import annotations

import pytest
from arq.connections import ArqRedis
from redis import exceptions

from hookyard.redis import arq_serializer
from hookyard.redis.client import close, open_redis, open_sync_redis
from hookyard.redis.embedded import EmbeddedRedis, find_server
from hookyard.redis.errors import is_redis_away


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
