"""``hookyard try``: handlers in the foreground."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from gitlab_emulator.app import create_app

from tests.fakes import a_delivery
from tests.hookyard.cli.conftest import process_environment

BOT = """
from hookyard import Bot, Wait, current_delivery, policy

bot = Bot()

@bot.task
async def later(event, gl): ...

@bot.register("Issue Hook", action="open")
@policy(timeout=0.01)
async def greet(event, gl):
    note = await gl.post("/projects/1/issues/1/notes", data={"body": "hello"})
    breakpoint()
    await later.enqueue({"note": note["id"]})
    return note["body"]

@bot.register("Push Hook")
@policy(key="{project}")
async def waits(event, gl):
    raise Wait(60, "not yet")

@bot.register("Push Hook")
def fails(event, gl):
    raise ValueError("no moon")
"""


@pytest.fixture
def attempt(tmp_path, redis_url):
    """Gives a coroutine function that runs the command in a folder with a bot."""
    (tmp_path / "bot.py").write_text(BOT)

    async def run(*arguments, keys="", **environment):
        command = [sys.executable, "-m", "hookyard.cli.main", "try", *arguments]
        given = {"HOOKYARD_HANDLERS": "bot:bot", "REDIS_URL": redis_url, "COLUMNS": "120", **environment}
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=tmp_path,
            env=process_environment(**given),
            input=keys,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


async def test_a_dry_run_makes_no_call_that_writes_and_stops_at_breakpoints(attempt, free_server):
    gitlab = create_app()
    url = await free_server(gitlab)
    run = await attempt("issue-open", "--dry-run", keys="p event.event\nc\n", GL_URL=url)
    assert run.returncode == 0, run.stderr
    assert 'not made: POST /api/v4/projects/1/issues/1/notes {"body": "hello"}' in run.stdout
    assert "'Issue Hook'" in run.stdout  # what the debugger was asked
    assert 'returned "hello"' in run.stdout
    assert 'would enqueue task:bot:later {"note": 0}' in run.stdout


async def test_without_it_calls_are_made(attempt, free_server):
    url = await free_server(create_app())
    run = await attempt("issue-open", keys="c\n", GL_URL=url, GL_ACCESS_TOKEN="t")
    assert run.returncode == 0, run.stdout
    assert "not made" not in run.stdout


async def test_a_delivery_of_the_ledger_is_tried_and_left_as_it_is(attempt, ledger, listing):
    await ledger.accept(a_delivery("d-1234567", data={"project": {"path_with_namespace": "group/app"}}))
    before = await listing.get("d-1234567")
    run = await attempt("d-1234567")
    assert run.returncode == 1
    assert "would run again in 60" in run.stdout
    assert "its policy's limits were not asked" in run.stdout
    assert "ValueError: no moon" in run.stdout
    assert await listing.get("d-1234567") == before


@pytest.mark.parametrize(
    ("arguments", "given", "text"),
    [
        (["issue-opened"], {}, "there is no sample issue-opened"),
        (["d-9999999"], {}, "There is no delivery d-9999999"),
        (["issue-open"], {"HOOKYARD_HANDLERS": ""}, "HOOKYARD_HANDLERS is not set"),
        (["issue-open"], {"HOOKYARD_HANDLERS": "nothing:router"}, "nothing"),
    ],
)
async def test_what_cannot_be_tried_is_said(attempt, arguments, given, text):
    run = await attempt(*arguments, **given)
    assert run.returncode in {1, 2}
    assert text in run.stderr
    assert "Traceback" not in run.stderr
