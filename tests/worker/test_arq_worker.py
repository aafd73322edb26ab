"""Stock arq: its own worker, its own command, with our function."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from arq.jobs import Job, JobStatus
from arq.worker import Worker

from hookyard.ledger import keys
from hookyard.ledger.records import State
from hookyard.redis import arq_serializer
from tests.fakes import a_delivery, until
from tests.processes import ROOT
from worker.arq_worker import redis_settings, worker_settings

BOT = """
import asyncio
from gidgetlab.routing import Router
router = Router()
runs = []
enough = asyncio.Event()

@router.register("Push Hook")
async def push(event, gl):
    runs.append(event.data)
    if event.data.get("waits"):
        await enough.wait()
    if event.data.get("fails") and len([run for run in runs if run == event.data]) < 3:
        raise ValueError("not yet")
"""


@pytest.fixture
def bot(tmp_path, monkeypatch):
    (tmp_path / "stock_bot.py").write_text(BOT)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("stock_bot", None)
    return {"HOOKYARD_HANDLERS": "stock_bot:router", "HOOKYARD_BACKOFF_S": 0.05}


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # arq's own
async def test_a_stock_worker_drains_the_queue(make_settings, bot, ledger, listing):
    for number in range(20):
        await ledger.accept(a_delivery(f"d-{number}", data={"fails": number % 5 == 0, "number": number}))
    assert await Job("d-1", ledger.redis, _queue_name=ledger.keys.queue).status() is JobStatus.queued
    worker = Worker(
        **worker_settings(make_settings(**bot)), burst=True, poll_delay=0.02, handle_signals=False
    )
    await asyncio.wait_for(worker.async_run(), 60)
    await worker.close()
    stats = await listing.stats()
    assert stats.states[State.SUCCEEDED] == 20
    assert len((await listing.get("d-5")).history) == 3


async def test_a_stock_worker_leaves_another_workers_delivery_alone(make_settings, bot, ledger, listing):
    await ledger.accept(a_delivery("d-1", data={}))
    claims = await ledger.claim(worker="other", limit=1)
    await ledger.redis.zadd(ledger.keys.queue, {"d-1": 1}, xx=True)  # as if it had looked a moment before
    await ledger.redis.delete("arq:in-progress:d-1")
    await ledger.redis.zadd(ledger.keys.queue, {"d-1": claims.now_ms + 60_000}, xx=True)
    from worker.arq_worker import process_delivery, shut_down, start_up

    context = {"settings": make_settings(**bot)}
    await start_up(context)
    try:
        with pytest.raises(Exception, match="Retry defer"):
            await process_delivery(context, "d-1")
    finally:
        await shut_down(context)
    record = await listing.get("d-1")
    assert (record.state, record.claims) == (State.RUNNING, 1)


async def test_arqs_own_command_runs_it(processes, bot, ledger, listing):
    (processes.directory / "stock_bot.py").write_text(BOT)
    processes.environment |= {name: str(value) for name, value in bot.items()}
    await ledger.accept(a_delivery("d-1", data={}))
    processes.start("-m", "arq", "worker.arq_worker.WorkerSettings", name="arq")

    async def succeeded():
        return (await listing.get("d-1")).state is State.SUCCEEDED

    await until(succeeded)


async def test_a_lock_that_a_killed_stock_worker_left_holds_for_a_lease_at_most(
    processes, bot, ledger, listing
):
    """Stock arq locks a job for longer than any may take, before our function claims the delivery."""
    (processes.directory / "stock_bot.py").write_text(BOT)
    processes.environment |= {name: str(value) for name, value in bot.items()}
    processes.environment |= {"HOOKYARD_LEASE_S": "1", "HOOKYARD_REDIS_TIMEOUT_S": "0.3"}
    await ledger.accept(a_delivery("d-1", data={}))
    await ledger.redis.psetex("arq:in-progress:d-1", 10**12, b"1")  # as arq does, and then it was killed
    processes.start("-m", "arq", "worker.arq_worker.WorkerSettings", name="arq")

    async def succeeded():
        return (await listing.get("d-1")).state is State.SUCCEEDED

    await until(succeeded)


async def test_stock_workers_that_are_killed_leave_nothing_behind(processes, bot, ledger, listing):
    (processes.directory / "stock_bot.py").write_text(BOT)
    processes.environment |= {name: str(value) for name, value in bot.items()}
    processes.environment |= {"HOOKYARD_LEASE_S": "1", "HOOKYARD_REDIS_TIMEOUT_S": "0.3"}
    await asyncio.gather(*(ledger.accept(a_delivery(f"d-{n}", data={"n": n})) for n in range(300)))

    async def finished():
        return (await listing.stats()).states[State.SUCCEEDED]

    for _ in range(3):
        worker = processes.start("-m", "arq", "worker.arq_worker.WorkerSettings", name="arq")
        more_than = await finished() + 20

        async def is_under_way(more_than=more_than):
            return await finished() > more_than

        await until(is_under_way)
        worker.kill()
    processes.start("-m", "arq", "worker.arq_worker.WorkerSettings", name="arq")

    async def all_finished():
        return await finished() == 300

    await until(all_finished)


def test_arqs_own_command_says_what_is_wrong_with_the_settings(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "arq", "worker.arq_worker.WorkerSettings"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOOKYARD_SLOTS": "none", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "HOOKYARD_SLOTS=none" in done.stderr
    assert "Traceback" not in done.stderr


def test_jobs_are_in_arqs_format_without_pickle():
    job = arq_serializer.deserialize(keys.job_bytes("d-1", 5))
    assert json.loads(json.dumps(job)) == {"t": None, "f": "process_delivery", "a": ["d-1"], "k": {}, "et": 5}


def test_a_sentinel_url_is_read_for_arq():
    settings = redis_settings("redis+sentinel://:pw@a:1,b:2/mymaster/3")
    assert (settings.host, settings.sentinel, settings.database) == ([("a", 1), ("b", 2)], True, 3)


async def test_losing_the_lease_leaves_the_delivery_in_the_queue(make_settings, bot, ledger, listing):
    """Any ending but arq's ``Retry`` would take another worker's delivery out of it, for good."""
    from worker.arq_worker import process_delivery, shut_down, start_up

    await ledger.accept(a_delivery("d-1", data={}))
    context = {"settings": make_settings(**bot)}
    await start_up(context)
    leases = context["parts"].context.leases
    leases.start_by = lambda *_: None  # as after a pause, and another worker has claimed it since

    async def lost(*_args):
        return False

    object.__setattr__(context["parts"].context, "checkpoint", lost)
    try:
        with pytest.raises(Exception, match="Retry defer"):
            await process_delivery(context, "d-1")
    finally:
        await shut_down(context)
    assert (await listing.get("d-1")).due_ms is not None


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # arq's own
async def test_a_stock_worker_prunes(make_settings, bot, ledger, listing):
    await ledger.accept(a_delivery("d-1", data={}))
    settings = make_settings(**bot, HOOKYARD_KEEP_SUCCEEDED_COUNT=0)
    worker = Worker(**worker_settings(settings), poll_delay=0.02, handle_signals=False)
    running = asyncio.create_task(worker.async_run())

    async def is_pruned():
        return worker.jobs_retried and await listing.get("d-1") is None

    await until(is_pruned)
    await worker.close()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # arq's own
async def test_a_stock_worker_runs_what_is_quarantined_alone(make_settings, bot, ledger, listing):
    """Else a crash of the process, by the fault of another delivery in it, would be held against it."""
    await ledger.accept(a_delivery("suspect", data={"is": "suspect"}))
    for _ in range(2):
        await ledger.renew([(one.delivery.id, one.token) for one in (await claim_all(ledger)).records])
        await ledger.redis.zadd(ledger.keys.queue, {"suspect": 1.5}, xx=True)  # as if its worker had died
    assert await ledger.is_quarantine_due()
    await ledger.redis.zadd(ledger.keys.quarantine, {"suspect": 2**42})
    assert not await ledger.is_quarantine_due()
    await ledger.accept(a_delivery("waits", data={"waits": True, "is": "waits"}))
    worker = Worker(**worker_settings(make_settings(**bot)), poll_delay=0.02, handle_signals=False)
    running = asyncio.create_task(worker.async_run())
    await until(lambda: "stock_bot" in sys.modules and sys.modules["stock_bot"].runs)
    await ledger.redis.zadd(ledger.keys.quarantine, {"suspect": 1})
    await until(lambda: worker.ctx["turns"].is_alone_wanted)
    await ledger.accept(a_delivery("later", data={"is": "later"}))
    found = sys.modules["stock_bot"]
    await until(lambda: len(worker.tasks) > 1)  # the job has begun, and waits for its turn
    assert [run["is"] for run in found.runs] == ["waits"]
    found.enough.set()

    async def are_done():
        return (await listing.stats()).states[State.SUCCEEDED] == 3

    await until(are_done)
    assert [run["is"] for run in found.runs] == ["waits", "suspect", "later"]
    await worker.close()
    await asyncio.gather(running, return_exceptions=True)


async def claim_all(ledger):
    return await ledger.claim(worker="dead", limit=10)
