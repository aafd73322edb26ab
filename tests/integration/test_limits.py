"""Limits of a policy while workers are killed; real processes, a real Redis."""

from __future__ import annotations

import os
import signal
import time

import pytest

from hookyard.ledger.query import Filter
from hookyard.ledger.records import State
from tests.fakes import a_delivery, until

BOT = """
import asyncio, os
from gidgetlab.routing import Router
from hookyard import Bot, current_delivery, policy

bot = Bot()

def note(what):
    line = f"{current_delivery().id} {what} {os.getppid()}\\n".encode()
    with open("bot.log", "ab", buffering=0) as file:
        file.write(line)

@bot.register("Merge Request Hook")
@policy(key="{project}!{iid}")
async def merge(event, gl):
    note("start")
    await asyncio.sleep(0.5)
    note("end")

@bot.task
async def follow(event, gl):
    note(event.data)

@bot.register("Push Hook")
async def push(event, gl):
    note("effect")
    await follow.enqueue(current_delivery().id)
    await asyncio.sleep(0.05)

@bot.register("Push Hook")
async def after(event, gl):
    "Have the first one's success checkpointed before this starts."
"""


@pytest.fixture
def start(processes):
    """Gives a function that starts a worker."""
    (processes.directory / "bot.py").write_text(BOT)
    processes.environment |= {"HOOKYARD_HANDLERS": "bot:bot", "HOOKYARD_LEASE_S": "3"}

    def start_worker(name):
        return processes.worker(name)

    return start_worker


@pytest.fixture
def notes(tmp_path):
    """Gives a function that reads what handlers noted: ``(delivery, what, worker)``."""

    def read():
        log = tmp_path / "bot.log"
        return [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []

    return read


async def test_six_events_of_one_merge_request_run_in_order_though_a_worker_is_killed(
    start, notes, ledger, listing
):
    workers = {worker.pid: worker for worker in (start("one"), start("two"), start("three"))}
    since_ms = time.time_ns() // 1_000_000
    data = {
        "object_kind": "merge_request",
        "project": {"path_with_namespace": "group/app"},
        "object_attributes": {"iid": 12},
    }
    for n in range(6):
        await ledger.accept(a_delivery(f"d-{n}", "Merge Request Hook", data, received_ms=since_ms + n))
    holder = int((await until(lambda: [one for one in notes() if one[0] == "d-2"]))[0][2])
    os.kill(workers[holder].pid, signal.SIGKILL)

    async def all_done():
        return (await listing.stats()).states[State.SUCCEEDED] == 6

    await until(all_done)
    told = [(one, what) for one, what, _ in notes()]
    whole = [
        pair for place, pair in enumerate(told) if pair != ("d-2", "start") or told[place + 1][1] == "end"
    ]
    assert whole == [(f"d-{n}", what) for n in range(6) for what in ("start", "end")]
    assert told.count(("d-2", "start")) == 2


async def test_each_recorded_success_has_its_follow_up_once_however_often_workers_are_killed(
    start, notes, ledger, listing
):
    names = iter(f"w{n}" for n in range(100))
    workers = [start(next(names)), start(next(names))]
    accepted = [f"d-{n}" for n in range(60)]
    for one in accepted:
        await ledger.accept(a_delivery(one))
    for _ in range(6):
        seen = len(notes())
        await until(lambda seen=seen: len(notes()) > seen or len(notes()) >= 2 * len(accepted))
        victim = workers.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        workers.append(start(next(names)))

    async def all_done():
        return (await listing.stats()).states[State.SUCCEEDED] == 2 * len(accepted)

    await until(all_done, within_s=120)
    # a task may be started again with its worker; what was enqueued is what counts
    page = await listing.page(Filter(), limit=500)
    parents = [record.delivery.parent for record in page.records if record.delivery.origin == "handler"]
    assert sorted(parents) == sorted(accepted)
