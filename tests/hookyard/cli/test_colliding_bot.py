"""A bot whose modules have the names of ours, run by this checkout; tests/packaging has the wheel."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.ledger.records import State

MODULES = ("console", "handlers", "ingress", "jobs", "worker")


@pytest.fixture
def bot(tmp_path):
    """Gives a function that writes a bot which imports modules of its own with these names."""

    def write(*names):
        for name in MODULES:
            (tmp_path / f"{name}.py").write_text(f"whose = 'the bot, {name}'\n")
        lines = ["from gidgetlab.routing import Router", "router = Router()"]
        lines += [f"import {name}\nassert {name}.whose == 'the bot, {name}'" for name in names]
        lines += ["@router.register('Push Hook')", "async def build(event, gl): ..."]
        (tmp_path / "mybot.py").write_text("\n".join(lines) + "\n")

    return write


def test_check_loads_its_handlers(command, bot, redis_url):
    bot(*MODULES)
    run = command("check", HOOKYARD_HANDLERS="mybot:router", REDIS_URL=redis_url, GL_URL="http://127.0.0.1:1")
    assert "mybot:build for Push Hook" in run.out


async def test_a_worker_runs_its_handlers(processes, bot, keep, listing):
    bot(*MODULES)
    await keep("d-1")
    worker = processes.start(
        *("-m", "hookyard.cli.main", "worker", "--handlers", "mybot:router", "--burst"), name="worker"
    )
    assert await asyncio.to_thread(worker.wait, 30) == 0, processes.log("worker")
    assert (await listing.get("d-1")).state is State.SUCCEEDED


async def test_an_ingress_is_ours(processes, bot):
    bot()
    ingress = processes.start("-m", "hookyard.cli.main", "ingress", "--port", "no", name="ingress")
    assert await asyncio.to_thread(ingress.wait, 30) == 2
    assert "HOOKYARD_PORT=no" in processes.log("ingress")
