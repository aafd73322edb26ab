"""Metrics of a worker in the less common cases."""

from __future__ import annotations

import asyncio
import signal

from gidgetlab.routing import Router
from prometheus_client.parser import text_string_to_metric_families

from hookyard import policy
from hookyard.ledger.records import State
from tests.fakes import a_delivery, until


def figures(engine):
    """Return each sample's value by its name and labels."""
    text = engine._context.metrics.registry.render().decode()
    return {
        (one.name.removeprefix("hookyard_worker_"), *one.labels.values()): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def adds_up(found):
    """Whether every claim ended somewhere."""
    runs = sum(value for (name, *_), value in found.items() if name == "runs_total")
    ended = runs + found["leases_lost_total",] + found["running",]
    return found["claims_total",] == ended


def a_bot_that_hangs():
    router, started = Router(), asyncio.Event()

    @router.register("Push Hook")
    async def hangs(event, gl):
        started.set()
        await asyncio.Event().wait()

    return router, started, f"{__name__}:a_bot_that_hangs.<locals>.hangs"


async def test_a_delivery_that_is_discarded_while_it_runs_is_a_lease_lost(start_worker, ledger):
    router, started, name = a_bot_that_hangs()
    engine = await start_worker(router, HOOKYARD_LEASE_S=1, HOOKYARD_REDIS_TIMEOUT_S=0.3)
    await ledger.accept(a_delivery("d-1"))
    await started.wait()
    assert figures(engine)["running",] == 1
    await ledger.discard(["d-1"])
    await until(lambda: figures(engine)["leases_lost_total",] == 1)
    await until(lambda: figures(engine)["running",] == 0)
    found = figures(engine)
    assert found["attempts_total", name, "cut off"] == found["attempt_seconds_count", name] == 1
    assert adds_up(found)


async def test_a_delivery_that_is_handed_back_went_to_queued(start_worker, ledger, listing):
    router, started, name = a_bot_that_hangs()
    engine = await start_worker(router)
    await ledger.accept(a_delivery("d-1"))
    await started.wait()
    engine.handle_sig(signal.SIGTERM)
    await until(lambda: figures(engine)["runs_total", "queued"] == 1)
    assert figures(engine)["attempts_total", name, "cut off"] == 1
    assert adds_up(figures(engine))
    assert (await listing.get("d-1")).state is State.QUEUED


async def test_every_ending_of_a_try_is_counted_under_its_state(start_worker, ledger):
    router = Router()

    @router.register("Push Hook")
    @policy(max_attempts=2, timeout=0.05)
    async def slow(event, gl):
        await asyncio.sleep(0 if event.data["quick"] else 60)

    engine = await start_worker(router, HOOKYARD_BACKOFF_S=0.01)
    await ledger.accept(a_delivery("d-1", data={"quick": True}))
    await ledger.accept(a_delivery("d-2", data={"quick": False}))
    await ledger.accept(a_delivery("d-3", event="Issue Hook"))
    await until(lambda: figures(engine)["runs_total", "failed"] == 1)
    found = figures(engine)
    by_state = {key[1]: value for key, value in found.items() if key[0] == "runs_total"}
    assert by_state == {
        "succeeded": 1,
        "ignored": 1,
        "failed": 1,
        "retrying": 1,
        "waiting": 0,
        "queued": 0,
    }
    (name,) = {key[1] for key in found if key[0] == "attempts_given_up_total"}
    assert found["attempts_total", name, "timed out"] == 2
    assert found["attempts_total", name, "succeeded"] == found["attempts_given_up_total", name] == 1
    assert found["pickup_seconds_count",] == 3  # the second try of d-2 is none
    assert adds_up(found)


async def test_what_came_from_a_clock_that_is_ahead_was_picked_up_at_once(start_worker, ledger):
    engine = await start_worker(Router())
    await ledger.accept(a_delivery("d-1", received_ms=a_delivery().received_ms + 60_000))
    await until(lambda: figures(engine)["pickup_seconds_count",] == 1)
    assert figures(engine)["pickup_seconds_sum",] == 0


async def test_a_record_that_cannot_be_read_is_a_claim_that_failed(start_worker, ledger):
    await ledger.accept(a_delivery("d-1"))
    await ledger.redis.hset(ledger.keys.delivery("d-1"), "meta", b"\xc1")
    engine = await start_worker(Router())
    await until(lambda: figures(engine)["runs_total", "failed"] == 1)
    assert adds_up(figures(engine))
