"""A real trio of Redis with three sentinels: the primary is killed under load, nothing accepted is lost."""

from __future__ import annotations

import asyncio
import subprocess
import time

import httpx
import pytest
import redis as sync_redis

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.ledger.records import State
from hookyard.redis.client import close, open_redis
from hookyard.redis.embedded import EmbeddedRedis, find_server
from tests.fakes import until
from tests.integration.test_redis_away import BOT, post
from tests.ports import free_port
from tests.processes import Processes


class Trio:
    """One primary, two replicas, three sentinels."""

    def __init__(self, directory):
        self.server = find_server()
        self.redises = [
            EmbeddedRedis(directory / f"redis-{number}", server=self.server, port=free_port())
            for number in range(3)
        ]
        self.sentinels = []
        self.directory = directory

    def start(self):
        for server in self.redises:
            server.start()
        primary = self.redises[0]
        for replica in self.redises[1:]:
            with sync_redis.Redis.from_url(replica.url) as client:
                client.replicaof("127.0.0.1", primary.port)
        ports = []
        for number in range(3):
            port = free_port()
            ports.append(port)
            config = self.directory / f"sentinel-{number}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self.directory}\n"
                f"sentinel monitor main 127.0.0.1 {primary.port} 2\n"
                "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
            )
            self.sentinels.append(
                subprocess.Popen(
                    [self.server.path, config, "--sentinel"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        self.url = f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/main/0"
        return ports

    def stop(self):
        for sentinel in self.sentinels:
            sentinel.kill()
            sentinel.wait()
        for server in self.redises:
            server.kill()


@pytest.fixture
async def trio(tmp_path):
    """The trio, once the sentinels know each other and both replicas follow."""
    started = Trio(tmp_path)
    try:
        ports = await asyncio.to_thread(started.start)

        def settled():
            for port in ports:
                with sync_redis.Redis(port=port) as sentinel:
                    try:
                        main = sentinel.sentinel_master("main")
                    except sync_redis.RedisError:
                        return False
                    if main["num-other-sentinels"] != 2 or main["num-slaves"] != 2:
                        return False
            with sync_redis.Redis.from_url(started.redises[0].url) as primary:
                return primary.wait(2, 100) == 2

        await until(settled)
        yield started
    finally:
        started.stop()


async def test_killing_the_primary_under_load_loses_nothing(trio, tmp_path):
    (tmp_path / "bot.py").write_text(BOT)
    processes = Processes(
        tmp_path,
        REDIS_URL=trio.url,
        HOOKYARD_MIN_REPLICAS="1",
        HOOKYARD_HANDLERS="bot:router",
        HOOKYARD_SPOOL_DIR=str(tmp_path / "spool"),
        HOOKYARD_LEASE_S="3",
    )
    try:
        _, url = processes.ingress()
        worker = processes.worker()
        async with httpx.AsyncClient(timeout=10) as client:
            ids = []

            async def send(seconds):
                ends = time.monotonic() + seconds
                while time.monotonic() < ends:
                    ids.append(f"d-{len(ids)}")
                    assert await post(client, url, ids[-1]) == 202
                    await asyncio.sleep(0.01)  # the rate

            await send(1)
            ready = (await client.get(f"{url}/ready")).json()
            assert ready["redis"]["ok"] is True
            sending = asyncio.create_task(send(8))
            await asyncio.to_thread(trio.redises[0].kill)
            await sending

            async def redis_is_back():
                return (await client.get(f"{url}/ready")).json()["redis"]["ok"]

            # the second replica must follow the new primary before anything is confirmed again
            await until(redis_is_back)
        redis = open_redis(trio.url, timeout_s=5)
        listing = Listing(redis, Ledger(redis).keys)

        async def all_handled():
            return (await listing.stats()).states[State.SUCCEEDED] >= len(ids)

        await until(all_handled)
        await close(redis)
        assert set((tmp_path / "ran.log").read_text().split()) == set(ids)
        assert worker.poll() is None
    finally:
        processes.stop_all()
