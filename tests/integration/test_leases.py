"""Leases and crashes: blocked loops, paused workers, poison; real processes, a real Redis."""

from __future__ import annotations

import signal

from hookyard.ledger.records import Outcome, State
from tests.fakes import a_delivery, until

BOT = """
import os, time, pathlib
from gidgetlab.routing import Router
from hookyard import policy, current_delivery

router = Router()

def ran():
    with open("ran.log", "a") as file:
        file.write(f"{current_delivery().id} {os.getpid()}\\n")
    return pathlib.Path("ran.log").read_text().count(f"{current_delivery().id} ")

@router.register("Push Hook")
@policy(timeout=10)
async def blocks(event, gl):
    ran()
    time.sleep(3)

@router.register("Tag Push Hook")
@policy(timeout=0.5)
async def blocks_too_long(event, gl):
    if ran() == 1:
        time.sleep(8)

@router.register("Issue Hook")
async def poison(event, gl):
    ran()
    os._exit(9)

@router.register("Note Hook")
async def innocent(event, gl):
    ran()
    import asyncio
    await asyncio.sleep(0.3)

@router.register("Job Hook")
async def first_run_takes_long(event, gl):
    import asyncio
    if ran() == 1:
        await asyncio.sleep(6)
"""


def bot(processes):
    (processes.directory / "bot.py").write_text(BOT)
    processes.environment |= {
        "HOOKYARD_HANDLERS": "bot:router",
        "HOOKYARD_LEASE_S": "1",
        "HOOKYARD_REDIS_TIMEOUT_S": "0.3",
        "HOOKYARD_LOG_FORMAT": "json",
    }


def runs(processes, delivery_id):
    log = processes.directory / "ran.log"
    return log.read_text().count(f"{delivery_id} ") if log.exists() else 0


async def finished(listing, delivery_id, **given):
    async def look():
        record = await listing.get(delivery_id)
        return record if record.finished_ms else None

    return await until(look, **given)


async def test_a_handler_that_blocks_the_loop_keeps_its_lease(processes, ledger, listing):
    bot(processes)
    processes.worker("one")
    processes.worker("other")
    await ledger.accept(a_delivery("d-1"))
    record = await finished(listing, "d-1")
    assert (record.state, record.claims, runs(processes, "d-1")) == (State.SUCCEEDED, 1, 1)


async def test_one_that_blocks_for_longer_than_its_timeout_is_killed_and_runs_again(
    processes, ledger, listing
):
    bot(processes)
    processes.worker("one")
    await ledger.accept(a_delivery("innocent", event="Job Hook"))
    await until(lambda: runs(processes, "innocent") == 1)
    await ledger.accept(a_delivery("d-1", event="Tag Push Hook"))
    record = await finished(listing, "d-1", within_s=60)
    assert (record.state, record.claims) == (State.SUCCEEDED, 2)
    first = record.history[0].attempts[0]
    assert (first.outcome, first.final) == (Outcome.TIMED_OUT, False)
    log = processes.log("one")
    assert "host killed: a handler does not end" in log
    assert "bot:blocks_too_long" in log
    beside = await finished(listing, "innocent", within_s=60)
    assert (beside.state, beside.claims) == (State.SUCCEEDED, 1)
    assert [attempt.outcome for attempt in beside.history[0].attempts] in (
        [Outcome.SUCCEEDED],
        [Outcome.INTERRUPTED, Outcome.SUCCEEDED],
    )


async def test_kill_9_of_a_worker_starts_its_deliveries_elsewhere_when_the_lease_ends(
    processes, ledger, listing
):
    bot(processes)
    victim = processes.worker("victim")
    for number in range(50):
        await ledger.accept(a_delivery(f"d-{number}", event="Job Hook"))
    await until(lambda: all(runs(processes, f"d-{number}") for number in range(50)))
    processes.worker("heir")
    await until(lambda: "worker ready" in processes.log("heir"))
    victim.kill()
    await until(lambda: all(runs(processes, f"d-{number}") >= 2 for number in range(50)))
    for number in range(50):
        assert (await finished(listing, f"d-{number}")).state is State.SUCCEEDED


async def test_a_paused_worker_cannot_write_over_the_new_owners_outcome(processes, ledger, listing):
    bot(processes)
    paused = processes.worker("paused")
    await ledger.accept(a_delivery("d-1", event="Job Hook"))
    await until(lambda: runs(processes, "d-1") == 1)
    paused.send_signal(signal.SIGSTOP)
    processes.worker("other")
    record = await finished(listing, "d-1")
    assert (record.state, record.claims) == (State.SUCCEEDED, 2)
    paused.send_signal(signal.SIGCONT)
    await until(lambda: "lease lost" in processes.log("paused"))
    assert await listing.get("d-1") == record


async def test_a_delivery_that_kills_its_hosts_is_failed_and_the_others_are_not(processes, ledger, listing):
    bot(processes)
    processes.environment["HOOKYARD_BACKOFF_S"] = "0.1"
    await ledger.accept(a_delivery("poison", event="Issue Hook"))
    for number in range(20):
        await ledger.accept(a_delivery(f"d-{number}", event="Note Hook"))
    worker = processes.worker("worker")

    async def both_done():
        records = [await listing.get("poison")]
        records += [await listing.get(f"d-{number}") for number in range(20)]
        return all(record.finished_ms for record in records) and records

    poison, *others = await until(both_done)
    assert poison.state is State.FAILED
    assert "it crashed its host while it ran alone (exit code 9, peak memory" in poison.error
    assert "(it crashed 3 times)" in poison.error
    outcomes = [attempt.outcome for run in poison.history for attempt in run.attempts]
    assert [each for each in outcomes if each is not Outcome.INTERRUPTED] == [Outcome.CRASHED] * 3
    assert {record.state for record in others} == {State.SUCCEEDED}
    assert {record.claims for record in others} == {1}
    assert worker.poll() is None
