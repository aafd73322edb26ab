"""What every command has in common: help, exit codes, faults in words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
from importlib import metadata

import pytest
from gitlab_emulator.app import create_app
from typer.testing import CliRunner

from hookyard.cli.context import CliContext
from hookyard.cli.ledger_session import connection_error
from hookyard.cli.main import app
from hookyard.ledger.records import State
from hookyard.settings.settings import load
from tests.fakes import until
from tests.hookyard.cli.conftest import process_environment
from tests.ports import free_port

COMMANDS = [
    "up",
    "new",
    "try",
    "hooks",
    "missed",
    "import",
    "deliveries",
    "show",
    "replay",
    "discard",
    "stats",
    "send",
    "api",
    "check",
]
COMMANDS += [
    "schedules",
    "breakers",
    "ingress",
    "worker",
    "emulator",
    "preflight",
    "health",
    "console",
    "credentials",
]


def test_the_help_lists_every_command_with_its_purpose_in_a_line():
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout
    lines = [line for line in text.splitlines() if re.match(r"│ [a-z]+  ", line)]
    assert sorted(line.split()[1] for line in lines) == sorted(COMMANDS)
    assert all(line.rstrip(" │").endswith(".") for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name):
    run = CliRunner().invoke(app, [name, "--help"])
    assert run.exit_code == 0
    assert re.search(rf"Usage: \w+ {name} ", run.stdout)


def test_the_version_is_the_installed_distribution_s():
    run = CliRunner().invoke(app, ["--version"])
    assert (run.exit_code, run.stdout) == (0, f"hookyard {metadata.version('hookyard')}\n")
    assert run.stdout.split()[1][0].isdigit()


READING = [["deliveries"], ["show", "d-1"], ["stats"], ["replay", "d-1"], ["discard", "d-1"]]


@pytest.mark.parametrize(
    "arguments", [*READING, ["send", "push"], ["api", "GET", "/user"], ["up"], ["worker"]]
)
def test_wrong_settings_are_all_named_in_one_message(command, arguments):
    run = command(*arguments, HOOKYARD_SLOTS="many", HOOKYARD_PORT="99999", GL_SIGNING_TOKEN="geheim")
    assert run.code == 2
    assert all(name in run.err for name in ("HOOKYARD_SLOTS", "HOOKYARD_PORT", "GL_SIGNING_TOKEN"))
    assert "geheim" not in run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize("arguments", READING)
def test_a_redis_that_is_away_is_said_with_its_url_masked(command, arguments):
    run = command(*arguments, REDIS_URL=f"redis://user:geheim@127.0.0.1:{free_port()}/0")
    assert run.code == 1
    assert "redis://user:***@127.0.0.1" in run.err
    assert "REDIS_URL points to it" in run.err
    assert "geheim" not in run.err
    assert "Traceback" not in run.err


def test_where_nothing_runs_it_is_said_what_to_start():
    # not run as a command: a Redis may well be where the default points to
    context = CliContext(settings=load(), stack=None, given=frozenset())
    why, todo = connection_error(context, ConnectionRefusedError("refused"))
    assert "does not answer (refused)" in why
    assert todo == "Nothing runs here: start `hookyard up` in this directory, or set REDIS_URL."


async def test_a_reader_that_goes_away_is_no_error_worth_a_traceback(keep, redis_url, nowhere):
    for number in range(3):
        await keep(f"d-{number}")
    for arguments in (["deliveries"], ["deliveries", "--json"], ["show", "d-1"], ["stats"]):
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", f"'{sys.executable}' -m hookyard.cli.main {' '.join(arguments)} | true"],
            env=process_environment(REDIS_URL=redis_url),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stderr == ""


async def test_ctrl_c_ends_a_watch_without_a_traceback(redis_url, nowhere):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hookyard.cli.main",
        "stats",
        "--watch",
        "--json",
        env=process_environment(REDIS_URL=redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: process.returncode is None and process.kill())
        assert json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["total"] == 0
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130
    assert b"Traceback" not in err


async def test_ingress_and_worker_become_those_processes(processes, listing, keep, tmp_path):
    port = free_port()
    (tmp_path / "bot.py").write_text("from gidgetlab.routing import Router\nrouter = Router()\n")
    ingress = processes.start("-m", "hookyard.cli.main", "ingress", name="ingress", HOOKYARD_PORT=str(port))
    await until(lambda: "ingress ready" in processes.log("ingress"))
    sent = processes.start(
        "-m",
        "hookyard.cli.main",
        "send",
        "push",
        "--id",
        "d-1",
        name="send",
        HOOKYARD_PORT=str(port),
        GL_SECRET="s",
    )
    assert await asyncio.to_thread(sent.wait, 30) == 0
    worker = processes.start(
        "-m", "hookyard.cli.main", "worker", "--burst", name="worker", HOOKYARD_HANDLERS="bot:router"
    )
    assert await asyncio.to_thread(worker.wait, 30) == 0
    assert (await listing.get("d-1")).state is State.IGNORED
    ingress.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(ingress.wait, 30) in {0, -signal.SIGTERM}


async def test_send_proves_itself_with_the_first_secrets_and_keeps_them_off_the_command_line(
    processes, tmp_path
):
    signing = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
    secrets = {"GL_SECRET": "first,second", "GL_SIGNING_TOKEN": signing}
    processes.environment.pop("HOOKYARD_ALLOW_UNAUTHENTICATED")
    processes.environment |= secrets
    _, url = processes.ingress()
    sent = processes.start("-m", "hookyard.cli.main", "send", "push", "--url", url, "--json", name="send")
    assert await asyncio.to_thread(sent.wait, 30) == 0
    assert json.loads(processes.log("send"))["status"] == 202


def test_send_lists_its_samples(command):
    run = command("send", "--list", "--json")
    assert "issue-open" in [one["name"] for one in json.loads(run.out)]


def test_send_without_an_event_says_how_to_see_them(command):
    run = command("send")
    assert (run.code, len(run.err.splitlines())) == (2, 1)
    assert "--list shows them" in run.err


def test_send_to_where_nobody_listens_is_exit_code_1(command):
    run = command("send", "push", HOOKYARD_PORT=str(free_port()))
    assert run.code == 1
    assert "connection refused" in run.out + run.err


async def test_api_prints_gitlabs_answer(command, free_server):
    url = await free_server(create_app())
    run = await asyncio.to_thread(command, "api", "get", "projects/1", GL_URL=url)
    assert run.json["path_with_namespace"] == "greenhouse/watering-can"


async def test_check_finds_nothing_at_fault_where_nothing_is(command, free_server, redis_url, nowhere):
    url = await free_server(create_app())
    (nowhere / "bot.py").write_text(
        "from gidgetlab.routing import Router\nrouter = Router()\nprint('noise')\n"
        "@router.register('Push Hook')\nasync def build(event, gl): ...\n"
    )
    settings = {
        "REDIS_URL": redis_url,
        "GL_URL": url,
        "GL_ACCESS_TOKEN": "geheim",
        "GL_SECRET": "geheim",
        "HOOKYARD_HANDLERS": "bot:router",
        "HOOKYARD_SPOOL_DIR": str(nowhere / "spool"),
    }
    run = await asyncio.to_thread(command, "check", "--json", **settings)
    found = {one["about"]: one for one in run.json["findings"]}
    assert run.code == 0
    assert found["handler"]["text"] == "bot:build for Push Hook"
    assert found["token"]["text"] == "belongs to garden-bot, scopes api"
    assert found["persistence"]["level"] == "ok"
    assert {name: found[name]["level"] for name in ("workers", "queue", "clock", "spool")} == {
        "workers": "risk",  # none is started here
        "queue": "ok",
        "clock": "ok",
        "spool": "ok",
    }
    assert "geheim" not in run.out
    assert "fault" not in (await asyncio.to_thread(command, "check", **settings)).out


def test_check_names_everything_that_is_at_fault(command):
    away = free_port()
    run = command(
        "check",
        "--json",
        REDIS_URL=f"redis://:geheim@127.0.0.1:{away}/0",
        GL_URL=f"http://127.0.0.1:{away}",
        HOOKYARD_HANDLERS="nowhere:router",
        HOOKYARD_SLOT="5",
    )
    assert run.code == 1
    levels = {one["about"]: one["level"] for one in run.json["findings"]}
    assert levels == {
        "settings": "risk",
        "sender": "fault",
        "spool": "risk",
        "redis": "fault",
        "handlers": "fault",
        "gitlab": "fault",
    }
    assert "did you mean HOOKYARD_SLOTS" in run.out
    assert "geheim" not in run.out


def test_check_of_settings_that_cannot_be_read_names_them_as_faults(command):
    run = command("check", HOOKYARD_SLOTS="many", HOOKYARD_PORT="x")
    assert run.code == 2
    assert "HOOKYARD_SLOTS" in run.out
    assert "HOOKYARD_PORT" in run.out


def test_check_without_handlers_says_what_to_set(command):
    run = command("check", "--json", REDIS_URL="redis://127.0.0.1:1/0", GL_URL="http://127.0.0.1:1")
    found = {one["about"]: one for one in run.json["findings"]}
    assert run.code == 2
    assert found["handlers"]["text"] == "HOOKYARD_HANDLERS is not set"
    assert found["handlers"]["todo"].startswith("Set it to your bot's module and router")
