"""The wake-up token, and the connection on which a worker waits for it."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.cancellation import cancel_and_wait
from hookyard.redis.client import open_redis
from tests.fakes import until
from tests.faults.proxy import FaultProxy
from tests.ports import free_port
from worker.wake_up import WakeUp


@pytest.fixture
async def proxy(redis_server, redis_url):
    """A way to the tests' Redis that can be cut."""
    opened = FaultProxy(redis_server.port, seed="wake-up")
    await opened.start(free_port())
    yield opened
    await opened.stop()


@pytest.fixture
async def watch(proxy, ledger):
    """Gives a function that starts to wait for tokens, with so many slots free, and returns the wake-up."""
    running = []

    def start(free):
        redis = open_redis(proxy.url, timeout_s=None)
        wake_up = WakeUp(redis, ledger.keys.wake, free=free, pass_on=ledger.wake)
        running.append((wake_up, asyncio.create_task(wake_up.watch())))
        return wake_up

    yield start
    for wake_up, task in running:
        await cancel_and_wait(task)
        await wake_up.close()


async def is_waiting(client):
    """Return whether a client waits for the token."""
    return any("b" in one["flags"] for one in await client.client_list())


@pytest.mark.slow
async def test_a_connection_that_leads_nowhere_is_given_up(proxy, watch, client, ledger):
    wake_up = watch(lambda: 1)
    await until(lambda: is_waiting(client))
    wake_up.look.clear()
    proxy.darken()
    await until(wake_up.look.is_set)
    wake_up.look.clear()
    await ledger.wake()  # the next connection works
    await until(wake_up.look.is_set)


async def test_a_token_for_which_there_is_no_slot_is_left_to_others_and_stays_one(watch, client, ledger):
    slots = [1]
    watch(lambda: slots[0])
    await until(lambda: is_waiting(client))
    slots[0] = 0
    await client.lpush(ledger.keys.wake, 1, 1)  # one is taken, and there is another by then

    async def is_one():
        return await client.llen(ledger.keys.wake) == 1 and not await is_waiting(client)

    await until(is_one)
    await ledger.wake()
    assert await client.llen(ledger.keys.wake) == 1
