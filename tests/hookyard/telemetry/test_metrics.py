"""Metrics of a process and of the ledger, as a scrape shows them."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.parser import text_string_to_metric_families

from hookyard.ledger import heartbeats
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.metrics import LedgerMetrics
from hookyard.telemetry.metrics import RedisAway, Registry
from hookyard.telemetry.redis_outage import Outage
from tests.fakes import a_delivery, until


def shown(registry):
    """Return each sample's value by its name and labels."""
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(registry.render().decode())
        for one in family.samples
    }


def test_what_is_counted_is_shown_without_the_time_at_which_counting_began():
    registry = Registry()
    Counter("asked", "Times", ("by",), registry=registry).labels("me").inc(2)
    Histogram("took_seconds", "Time", buckets=(0.1, 1), registry=registry).observe(0.5)
    assert shown(registry) == {
        ("asked_total", "me"): 2,
        ("took_seconds_bucket", "0.1"): 0,
        ("took_seconds_bucket", "1.0"): 1,
        ("took_seconds_bucket", "+Inf"): 1,
        ("took_seconds_count",): 1,
        ("took_seconds_sum",): 0.5,
    }


def test_the_registry_of_a_process_is_not_the_one_that_a_bot_uses():
    mine = Counter("bots_own", "Counted by a bot")
    try:
        Counter("bots_own", "Counted by us", registry=Registry()).inc()
        mine.inc(5)
        assert REGISTRY.get_sample_value("bots_own_total") == 5
        assert REGISTRY.get_sample_value("bots_own_created") is not None
    finally:
        REGISTRY.unregister(mine)


def test_the_time_redis_was_away_includes_an_outage_under_way(monkeypatch):
    registry, now = Registry(), [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    outage = Outage(structlog.get_logger("test"), RedisAway(registry))
    for then in (100, 110):
        now[0] = then
        outage.lost(OSError("gone"))
        outage.lost(OSError("still gone"))
        now[0] = then + 2
        outage.found()
    outage.found()
    now[0] = 200
    outage.lost(OSError("gone"))
    now[0] = 205
    found = shown(registry)
    assert found == {
        ("hookyard_redis_outages_total",): 3,
        ("hookyard_redis_away",): 1,
        ("hookyard_redis_away_seconds_total",): 2 + 2 + 5,
    }


class LedgerReading:
    """What a scrape shows of the ledger."""

    def __init__(self, url, *, timeout_s):
        self.registry = Registry()
        self.metrics = LedgerMetrics(self.registry, url, LedgerKeys(), timeout_s=timeout_s)

    async def scrape(self):
        return await asyncio.to_thread(shown, self.registry)

    async def scrape_anew(self):
        """Scrape as if the last scrape had been long ago."""
        self.metrics._read_at = -1e9
        return await self.scrape()


@pytest.fixture
def reading(redis_url):
    reading = LedgerReading(redis_url, timeout_s=2)
    yield reading
    reading.metrics.close()


async def test_the_ledger_tells_what_waits_in_which_state_and_for_how_long(ledger, reading):
    await ledger.accept(a_delivery("d-old", received_ms=a_delivery().received_ms - 60_000))
    await ledger.accept(a_delivery("d-new"))
    await ledger.accept(a_delivery("d-run", received_ms=a_delivery().received_ms - 90_000))
    await ledger.claim(worker="w", limit=1)
    await ledger.redis.zincrby(ledger.keys.queue, -10_000, "d-run")  # its lease is over
    found = await reading.scrape_anew()
    assert found["hookyard_ledger_answers",] == 1
    assert found["hookyard_ledger_deliveries", "queued"] == 2
    assert found["hookyard_ledger_deliveries", "running"] == 1
    assert 60 <= found["hookyard_ledger_due_seconds", "queued"] < 90
    assert found["hookyard_ledger_due_seconds", "retrying"] == 0
    await until(lambda: is_overdue(reading))
    assert found["hookyard_ledger_memory_used_bytes",] > 0


async def is_overdue(reading):
    return 0 < (await reading.scrape_anew())["hookyard_ledger_due_seconds", "running"] < 60


async def test_the_ledger_is_asked_once_a_second_at_most(ledger, reading):
    before = await reading.scrape()
    await ledger.accept(a_delivery("d-1"))
    assert await reading.scrape() == before
    assert (await reading.scrape_anew())["hookyard_ledger_deliveries", "queued"] == 1


async def test_of_a_redis_that_is_away_only_that_is_told(unused_port):
    reading = LedgerReading(f"redis://127.0.0.1:{unused_port}/0", timeout_s=1)
    assert await reading.scrape() == {("hookyard_ledger_answers",): 0}


async def test_what_is_quarantined_is_counted(ledger, reading):
    await ledger.redis.zadd(ledger.keys.quarantine, {"d-1": 1, "d-2": 2})
    assert (await reading.scrape_anew())["hookyard_ledger_quarantined",] == 2
    await ledger.redis.delete(ledger.keys.quarantine)


@pytest.fixture
def unused_port():
    from tests.ports import free_port

    return free_port()


async def test_workers_that_say_so_live_and_those_that_leave_or_fall_silent_do_not(ledger, reading):
    keys, redis = ledger.keys, ledger.redis
    saying = [asyncio.create_task(heartbeats.beat(ledger, name)) for name in ("w-1", "w-2")]

    async def both_live():
        return await heartbeats.alive(redis, keys) == ["w-1", "w-2"]

    await until(both_live)
    assert (await reading.scrape_anew())["hookyard_ledger_workers",] == 2
    for task in saying:
        task.cancel()
    await heartbeats.leave(ledger, "w-2")
    assert await heartbeats.alive(redis, keys) == ["w-1"]
    await redis.zincrby(keys.workers, -heartbeats.GONE_AFTER_MS - 1, "w-1")  # as if it had said so long ago
    assert await heartbeats.alive(redis, keys) == []
    assert (await reading.scrape_anew())["hookyard_ledger_workers",] == 0
    assert await redis.pttl(keys.workers) > 0
