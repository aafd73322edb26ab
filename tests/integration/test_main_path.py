"""From GitLab's POST to a handled event: real processes, a real Redis."""

from __future__ import annotations

import asyncio
import json
import signal

import httpx

from hookyard.ledger.records import Ending, State
from tests.fakes import until

BOT = """
import asyncio, os, pathlib
from gidgetlab.routing import Router
from hookyard import current_delivery

router = Router()
log = pathlib.Path("ran.log")

def ran(name):
    with log.open("a") as file:
        file.write(f"{name} {current_delivery().id} {current_delivery().attempt}\\n")
    return log.read_text().count(f"{name} {current_delivery().id} ")

@router.register("Push Hook")
async def first(event, gl):
    ran("first")

@router.register("Push Hook")
async def second(event, gl):
    times = ran("second")
    mode = (event.data or {}).get("mode")
    if mode == "fails twice" and times < 3:
        raise ValueError(f"failure number {times}")
    if mode == "hangs once" and times == 1:
        await asyncio.sleep(3600)
    if mode == "slow":
        await asyncio.sleep(1)

@router.register("Push Hook")
async def third(event, gl):
    ran("third")
"""


def a_bot(processes):
    """Put the bot into the processes' directory and make them use it."""
    (processes.directory / "bot.py").write_text(BOT)
    processes.environment |= {"HOOKYARD_HANDLERS": "bot:router", "HOOKYARD_BACKOFF_S": "0.1"}


def runs(processes, name, delivery_id):
    log = processes.directory / "ran.log"
    return log.read_text().count(f"{name} {delivery_id} ") if log.exists() else 0


def push(url, delivery_id, data=None, **headers):
    return httpx.post(
        url,
        content=b"" if data is None else json.dumps(data).encode(),
        headers={
            "content-type": "application/json",
            "x-gitlab-event": "Push Hook",
            "webhook-id": delivery_id,
            **headers,
        },
    )


async def in_state(listing, delivery_id, state, **given):
    async def look():
        record = await listing.get(delivery_id)
        return record if record and record.state is state else None

    return await until(look, **given)


async def test_the_second_of_three_handlers_fails_twice_and_only_it_runs_again(processes, listing):
    a_bot(processes)
    _, url = processes.ingress()
    processes.worker()
    assert push(url, "d-1", {"mode": "fails twice"}).status_code == 202
    record = await in_state(listing, "d-1", State.SUCCEEDED)
    assert [runs(processes, name, "d-1") for name in ("first", "second", "third")] == [1, 3, 1]
    assert [[attempt.handler for attempt in one.attempts] for one in record.history] == [
        ["bot:first", "bot:second", "bot:third"],
        ["bot:second"],
        ["bot:second"],
    ]
    assert record.history[1].attempts[0].error == "ValueError: failure number 2"


async def test_kill_9_in_the_second_handler_does_not_run_the_first_again(processes, listing):
    a_bot(processes)
    processes.environment |= {"HOOKYARD_LEASE_S": "1", "HOOKYARD_REDIS_TIMEOUT_S": "0.3"}
    _, url = processes.ingress()
    victim = processes.worker("victim")
    push(url, "d-1", {"mode": "hangs once"})
    await until(lambda: runs(processes, "second", "d-1") == 1)
    victim.kill()
    processes.worker("heir")
    record = await in_state(listing, "d-1", State.SUCCEEDED)
    assert [runs(processes, name, "d-1") for name in ("first", "second", "third")] == [1, 2, 1]
    assert [one.ending for one in record.history] == [Ending.CRASHED, Ending.SETTLED]


async def test_the_same_id_posted_50_times_at_once_to_two_ingresses_is_one_delivery(processes, listing):
    a_bot(processes)
    _, one = processes.ingress()
    _, other = processes.ingress()
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=50)) as client:
        await asyncio.gather(client.get(f"{one}/health"), client.get(f"{other}/health"))
        headers = {
            "content-type": "application/json",
            "x-gitlab-event": "Push Hook",
            "idempotency-key": "d-1",
        }
        answers = await asyncio.gather(
            *(client.post(url, content=b"{}", headers=headers) for url in [one, other] * 25)
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    processes.worker()
    await in_state(listing, "d-1", State.SUCCEEDED)
    assert (await listing.stats()).total == 1
    assert runs(processes, "first", "d-1") == 1


async def test_a_push_with_an_empty_body_runs_the_push_handlers(processes, listing):
    a_bot(processes)
    _, url = processes.ingress()
    processes.worker()
    assert push(url, "d-1").status_code == 202
    await in_state(listing, "d-1", State.SUCCEEDED)
    assert runs(processes, "third", "d-1") == 1


async def test_sigterm_lets_a_worker_finish_what_it_runs(processes, listing):
    a_bot(processes)
    _, url = processes.ingress()
    worker = processes.worker()
    push(url, "d-1", {"mode": "slow"})
    await until(lambda: runs(processes, "second", "d-1") == 1)
    worker.send_signal(signal.SIGTERM)
    push(url, "d-2")  # is not taken any more
    assert await asyncio.to_thread(worker.wait, 15) == 0
    record = await listing.get("d-1")
    assert (record.state, record.runs) == (State.SUCCEEDED, 1)
    assert (await listing.get("d-2")).state is State.QUEUED


async def test_a_drain_that_takes_too_long_hands_back_without_counting_a_try(processes, listing):
    a_bot(processes)
    _, url = processes.ingress()
    worker = processes.worker(HOOKYARD_DRAIN_S="1")
    push(url, "d-1", {"mode": "hangs once"})
    await until(lambda: runs(processes, "second", "d-1") == 1)
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 15) == 0
    record = await listing.get("d-1")
    assert (record.state, record.runs, record.history[-1].ending) == (State.QUEUED, 0, Ending.RELEASED)
    processes.worker("next")
    await in_state(listing, "d-1", State.SUCCEEDED)
    assert [runs(processes, name, "d-1") for name in ("first", "second", "third")] == [1, 2, 1]


async def test_a_second_sigterm_hands_back_at_once(processes, listing):
    a_bot(processes)
    _, url = processes.ingress()
    worker = processes.worker(HOOKYARD_DRAIN_S="600")
    push(url, "d-1", {"mode": "hangs once"})
    await until(lambda: runs(processes, "second", "d-1") == 1)
    worker.send_signal(signal.SIGTERM)
    await until(lambda: "shutdown on SIGTERM" in processes.log("worker"))
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 15) == 0
    assert (await listing.get("d-1")).state is State.QUEUED
