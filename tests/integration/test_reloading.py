"""``HOOKYARD_RELOAD``: a bot that is changed while it runs."""

from __future__ import annotations

import itertools

import pytest

from hookyard.ledger.records import State
from tests.fakes import a_delivery, until

BOT = """
import asyncio, pathlib
from gidgetlab.routing import Router

router = Router()

@router.register("Push Hook")
async def push(event, gl):
    with open("bot.log", "a") as file:
        file.write("{version}\\n")
    while event.data.get("waits") and not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
"""


@pytest.fixture
def lines(tmp_path):
    """Gives a function that reads what the bot wrote."""
    log = tmp_path / "bot.log"
    return lambda: log.read_text().split() if log.exists() else []


async def test_a_changed_bot_is_loaded_and_what_runs_is_not_cut_off(
    processes, tmp_path, ledger, listing, lines
):
    bot = tmp_path / "bot.py"
    bot.write_text(BOT.replace("{version}", "old"))
    processes.environment |= {"HOOKYARD_HANDLERS": "bot:router", "HOOKYARD_RELOAD": "true"}
    processes.worker("worker")
    await ledger.accept(a_delivery("slow", data={"waits": True}))
    await until(lambda: lines() == ["old"])

    bot.write_text("this is no Python")
    log = tmp_path / "worker.log"
    await until(lambda: "host cannot start" in log.read_text())
    bot.write_text(BOT.replace("{version}", "new"))

    numbers = itertools.count()

    async def is_new():
        await ledger.accept(a_delivery(f"d-{next(numbers)}"))
        return "new" in lines()

    await until(is_new)
    (tmp_path / "go").touch()

    async def all_done():
        stats = await listing.stats()
        return stats.states[State.SUCCEEDED] == stats.total

    await until(all_done)
    slow = await listing.get("slow")
    assert [len(run.attempts) for run in slow.history] == [1]
