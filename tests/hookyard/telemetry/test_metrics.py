"""What is counted and timed, and what a scrape shows of it."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from hookyard.ledger import heartbeats
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.metrics import LedgerFigures
from hookyard.telemetry.metrics import Figures, RedisAway
from hookyard.telemetry.redis_outage import Outage
from tests.fakes import a_delivery, until


def shown(text):
    """Return each sample's value by its name and labels."""
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


def test_a_counter_is_shown_from_the_start_and_rises():
    figures = Figures()
    asked = figures.counts("asked", "Times", ("by",))
    once = asked.of("me")
    assert shown(figures.text()) == {("asked_total", "me"): 0}
    once.add()
    asked.of("me").add(2)
    asked.of("you").add()
    assert shown(figures.text()) == {("asked_total", "me"): 3, ("asked_total", "you"): 1}


@pytest.mark.parametrize(
    ("seconds", "buckets"),
    [(0.0, [1, 1, 1]), (0.1, [1, 1, 1]), (0.10001, [0, 1, 1]), (1.0, [0, 1, 1]), (7.5, [0, 0, 1])],
)
def test_a_duration_counts_in_every_bucket_from_its_bound_on(seconds, buckets):
    figures = Figures()
    took = figures.durations("took_seconds", "Time", bounds=(0.1, 1)).of()
    took.observe(seconds)
    found = shown(figures.text())
    assert [found["took_seconds_bucket", bound] for bound in ("0.1", "1.0", "+Inf")] == buckets
    assert (found["took_seconds_count",], found["took_seconds_sum",]) == (1, seconds)


def test_numbers_of_siblings_are_added_up():
    one, other = Figures(), Figures()
    for figures, times in ((one, 3), (other, 4)):
        count, took = figures.counts("a", "A").of(), figures.durations("b_seconds", "B", bounds=(1,)).of()
        for _ in range(times):
            count.add()
            took.observe(0.5)
    one.numbers.others = lambda: [other.numbers.cells]
    found = shown(one.text())
    assert (found["a_total",], found["b_seconds_count",], found["b_seconds_sum",]) == (7, 7, 3.5)


def test_the_time_redis_was_away_includes_an_outage_under_way(monkeypatch):
    figures, now = Figures(), [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    outage = Outage(structlog.get_logger("test"), RedisAway(figures))
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
    found = shown(figures.text())
    assert found == {
        ("hookyard_redis_outages_total",): 3,
        ("hookyard_redis_away",): 1,
        ("hookyard_redis_away_seconds_total",): 2 + 2 + 5,
    }


@pytest.fixture
def ledger_figures(redis_url):
    reader = LedgerFigures(redis_url, LedgerKeys(), timeout_s=2)
    yield reader
    reader.close()


async def scrape(reader):
    """Return what a scrape shows of the ledger, which is asked anew."""
    reader._read_at = -1e9
    families = await asyncio.to_thread(reader.families)
    return shown(Figures().text(*families))


async def test_the_ledger_tells_what_waits_in_which_state_and_for_how_long(ledger, ledger_figures):
    await ledger.accept(a_delivery("d-old", received_ms=a_delivery().received_ms - 60_000))
    await ledger.accept(a_delivery("d-new"))
    await ledger.accept(a_delivery("d-run", received_ms=a_delivery().received_ms - 90_000))
    await ledger.claim(worker="w", limit=1, max_crashes=3, lease_ms=1)  # its lease is over at once
    found = await scrape(ledger_figures)
    assert found["hookyard_ledger_answers",] == 1
    assert found["hookyard_ledger_deliveries", "queued"] == 2
    assert found["hookyard_ledger_deliveries", "running"] == 1
    assert 60 <= found["hookyard_ledger_due_seconds", "queued"] < 90
    assert found["hookyard_ledger_due_seconds", "retrying"] == 0
    await until(lambda: is_overdue(ledger_figures))
    assert found["hookyard_ledger_memory_used_bytes",] > 0


async def is_overdue(reader):
    return 0 < (await scrape(reader))["hookyard_ledger_due_seconds", "running"] < 60


async def test_the_ledger_is_asked_once_a_second_at_most(ledger, ledger_figures):
    before = await asyncio.to_thread(ledger_figures.families)
    await ledger.accept(a_delivery("d-1"))
    again = await asyncio.to_thread(ledger_figures.families)
    assert shown(Figures().text(*again)) == shown(Figures().text(*before))
    assert (await scrape(ledger_figures))["hookyard_ledger_deliveries", "queued"] == 1


async def test_of_a_redis_that_is_away_only_that_is_told(unused_port):
    reader = LedgerFigures(f"redis://127.0.0.1:{unused_port}/0", LedgerKeys(), timeout_s=1)
    assert await scrape(reader) == {("hookyard_ledger_answers",): 0}


@pytest.fixture
def unused_port():
    from hookyard.redis.embedded import free_port

    return free_port()


async def test_workers_that_say_so_live_and_those_that_leave_or_fall_silent_do_not(ledger, ledger_figures):
    keys, redis = ledger.keys, ledger.redis
    saying = [asyncio.create_task(heartbeats.beat(ledger, name)) for name in ("w-1", "w-2")]

    async def both_live():
        return await heartbeats.alive(redis, keys) == ["w-1", "w-2"]

    await until(both_live)
    assert (await scrape(ledger_figures))["hookyard_ledger_workers",] == 2
    for task in saying:
        task.cancel()
    await heartbeats.leave(ledger, "w-2")
    assert await heartbeats.alive(redis, keys) == ["w-1"]
    await redis.zincrby(keys.workers, -heartbeats.GONE_AFTER_MS - 1, "w-1")  # as if it had said so long ago
    assert await heartbeats.alive(redis, keys) == []
    assert (await scrape(ledger_figures))["hookyard_ledger_workers",] == 0
    assert await redis.pttl(keys.workers) > 0
