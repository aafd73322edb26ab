"""Redis stopped, frozen, out of memory, read-only: every answer stays 2xx, and all is handled afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import httpx
import pytest
import redis as sync_redis

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.ledger.records import State
from hookyard.redis.client import close, open_redis
from tests.audit import audit
from tests.fakes import until
from tests.processes import Processes

BOT = """
from gidgetlab.routing import Router
from hookyard import current_delivery
router = Router()

@router.register("Push Hook")
async def push(event, gl):
    with open("ran.log", "a") as file:
        file.write(current_delivery().id + "\\n")
"""


@pytest.fixture
def yard(tmp_path, own_redis):
    """Processes with a spool, and a bot that writes down what it ran."""
    (tmp_path / "bot.py").write_text(BOT)
    started = Processes(
        tmp_path,
        REDIS_URL=own_redis.url,
        HOOKYARD_HANDLERS="bot:router",
        HOOKYARD_SPOOL_DIR=str(tmp_path / "spool"),
        HOOKYARD_LOG_FORMAT="json",
        HOOKYARD_LEASE_S="3",
    )
    yield started
    started.stop_all()


async def post(client, url, delivery_id):
    answer = await client.post(
        url,
        content=b'{"ref": "main"}',
        headers={
            "content-type": "application/json",
            "x-gitlab-event": "Push Hook",
            "webhook-id": delivery_id,
        },
    )
    return answer.status_code


async def all_handled(own_redis, ids):
    """Wait until every delivery has succeeded; give how often each ran."""
    client = open_redis(own_redis.url, timeout_s=5)
    try:
        listing = Listing(client, Ledger(client).keys)

        async def look():
            return (await listing.stats()).states[State.SUCCEEDED] == len(ids)

        await until(look)
    finally:
        await close(client)
    with sync_redis.Redis.from_url(own_redis.url) as balance:
        assert audit(balance) == []


def break_by_stopping(own_redis):
    own_redis.stop()
    return own_redis.start


def break_by_killing(own_redis):
    own_redis.kill()
    return own_redis.start


def break_by_freezing(own_redis):
    os.kill(own_redis.pid, signal.SIGSTOP)
    return lambda: os.kill(own_redis.pid, signal.SIGCONT)


def break_by_filling(own_redis):
    with sync_redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory", 1)

    def mend():
        with sync_redis.Redis.from_url(own_redis.url) as client:
            client.config_set("maxmemory", 0)

    return mend


def break_by_making_it_a_replica(own_redis):
    with sync_redis.Redis.from_url(own_redis.url) as client:
        client.replicaof("127.0.0.1", 1)

    def mend():
        with sync_redis.Redis.from_url(own_redis.url) as client:
            client.replicaof("NO", "ONE")

    return mend


def break_by_sleeping(own_redis):
    def sleep():
        with sync_redis.Redis.from_url(own_redis.url) as client:
            client.execute_command("DEBUG", "SLEEP", "5")

    sleeping = threading.Thread(target=sleep)
    sleeping.start()
    return sleeping.join


@pytest.mark.parametrize(
    "break_it",
    [
        break_by_sleeping,
        break_by_stopping,
        break_by_killing,
        break_by_freezing,
        break_by_filling,
        break_by_making_it_a_replica,
    ],
)
async def test_every_answer_is_2xx_and_all_is_handled_afterwards(yard, own_redis, break_it):
    _, url = yard.ingress()
    worker = yard.worker()
    ids = [f"d-{number}" for number in range(60)]
    async with httpx.AsyncClient(timeout=10) as client:
        for delivery_id in ids[:10]:
            assert await post(client, url, delivery_id) == 202
        mend = await asyncio.to_thread(break_it, own_redis)
        began = time.monotonic()
        for delivery_id in ids[10:50]:
            assert await post(client, url, delivery_id) == 202
        # one may wait for HOOKYARD_REDIS_TIMEOUT_S (1 s); 40 of them would take 40 s
        assert time.monotonic() - began < 40
        ready = (await client.get(f"{url}/ready")).json()
        assert ready["ready"] is True
        assert ready["redis"]["ok"] is False
        assert ready["spool"]["waiting"] > 0
        await asyncio.to_thread(mend)
        for delivery_id in ids[50:]:
            assert await post(client, url, delivery_id) == 202
    await all_handled(own_redis, ids)
    assert worker.poll() is None
    for name in ("worker", f"ingress-{httpx.URL(url).port}"):
        await until(
            lambda name=name: (
                yard.log(name).count("Redis available again") == yard.log(name).count("Redis unavailable")
            )
        )
    assert yard.log(f"ingress-{httpx.URL(url).port}").count("Redis unavailable") == 1


async def test_killed_connections_and_forgotten_scripts_cost_nothing(yard, own_redis):
    _, url = yard.ingress()
    worker = yard.worker()
    ids = [f"d-{number}" for number in range(60)]
    with sync_redis.Redis.from_url(own_redis.url) as breaker:
        async with httpx.AsyncClient(timeout=10) as client:
            for number, delivery_id in enumerate(ids):
                if number % 10 == 5:
                    breaker.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    breaker.script_flush()
                assert await post(client, url, delivery_id) == 202
    await all_handled(own_redis, ids)
    assert worker.poll() is None


async def test_what_was_spooled_survives_kill_9_of_the_ingress(yard, own_redis):
    ingress, url = yard.ingress()
    await asyncio.to_thread(own_redis.stop)
    ids = [f"d-{number}" for number in range(20)]
    async with httpx.AsyncClient(timeout=10) as client:
        assert await asyncio.gather(*(post(client, url, one) for one in ids)) == [202] * 20
        assert await post(client, url, "d-3") == 200
    ingress.kill()
    await asyncio.to_thread(ingress.wait)
    await asyncio.to_thread(own_redis.start)
    yard.worker()
    yard.ingress()
    await all_handled(own_redis, ids)


async def test_without_a_spool_the_answer_is_503_and_in_time(yard, own_redis):
    yard.environment["HOOKYARD_SPOOL_DIR"] = ""
    _, url = yard.ingress()
    await asyncio.to_thread(own_redis.stop)
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.post(
            url, content=b"{}", headers={"content-type": "application/json", "x-gitlab-event": "Push Hook"}
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert (await client.get(f"{url}/ready")).status_code == 503
        await asyncio.to_thread(own_redis.start)
        assert await post(client, url, "d-1") == 202
        assert (await client.get(f"{url}/ready")).status_code == 200


async def test_a_handler_that_ends_while_redis_is_away_is_not_run_again(yard, own_redis):
    (yard.directory / "bot.py").write_text(BOT + "    import asyncio\n    await asyncio.sleep(1)\n")
    _, url = yard.ingress()
    yard.worker()
    async with httpx.AsyncClient(timeout=10) as client:
        await post(client, url, "d-1")
    ran = yard.directory / "ran.log"
    await until(ran.exists)
    await asyncio.to_thread(own_redis.stop)
    await until(lambda: "handler succeeded" in yard.log("worker"))
    await asyncio.to_thread(own_redis.start)
    await all_handled(own_redis, ["d-1"])
    assert ran.read_text() == "d-1\n"


async def test_a_worker_that_starts_before_redis_says_where_it_looks_and_waits(yard, own_redis):
    port = own_redis.port
    await asyncio.to_thread(own_redis.stop)
    worker = yard.worker(REDIS_URL=f"redis://:hunter2@127.0.0.1:{port}/0")
    await until(lambda: "Redis unreachable, retrying" in yard.log("worker"))
    assert f"redis://:***@127.0.0.1:{port}/0" in yard.log("worker")
    assert "hunter2" not in yard.log("worker")
    assert worker.poll() is None
