"""`hookyard send` and `hookyard emulator`: the emulator's own commands, with this place's defaults."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.fakes import until
from tests.hookyard.cli.conftest import process_environment

SECRET = {"GL_SECRET": "first,second"}


async def an_emulator(processes, *options, **environment):
    """Starts ``hookyard emulator`` on a free port; gives the process and its address."""
    command = ("-m", "hookyard.cli.main", "emulator", "--port", "0", *options)
    process = processes.start(*command, name="emulator", PYTHONUNBUFFERED="1", **environment)
    line = await until(lambda: processes.log("emulator").partition("\n")[0])
    return process, line.split()[3]


async def one_is_kept(listing):
    """Whether there is a delivery in the ledger."""
    return (await listing.stats()).total == 1


async def test_send_at_a_rate_fills_the_ledger(processes, listing):
    """Each delivery is one of its own; the numbers come at the end."""
    _, url = processes.ingress()
    options = ("--url", url, "--rate", "200", "--count", "20", "--concurrency", "5", "--json")
    sent = processes.start("-m", "hookyard.cli.main", "send", "note-commit", *options, name="send")
    assert await asyncio.to_thread(sent.wait, 30) == 0
    assert json.loads(processes.log("send"))["by_status"] == {"202": 20}
    assert (await listing.stats()).total == 20


async def test_a_hook_of_the_emulators_is_let_in(processes, listing):
    """What happens in the emulator arrives: it sends the first of this place's secrets."""
    processes.environment.pop("HOOKYARD_ALLOW_UNAUTHENTICATED")
    processes.environment |= SECRET
    _, url = processes.ingress()
    process, address = await an_emulator(processes, "--hook", url)
    async with httpx.AsyncClient() as web:
        await web.post(f"{address}/api/v4/projects/1/issues", json={"title": "Dry beds"})
        await until(lambda: one_is_kept(listing))
        (hook,) = (await web.get(f"{address}/api/v4/projects/1/hooks")).json()
        events = (await web.get(f"{address}/api/v4/projects/1/hooks/{hook['id']}/events")).json()
    assert [event["response_status"] for event in events] == ["202"]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0


async def test_the_emulators_third_party_calls_where_it_is_told_to(processes):
    """The address may come from the environment as well; here the one stands for the other."""
    called = []

    async def talk(reader, writer):
        called.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/done"
    _, address = await an_emulator(
        processes, "--callback-url", url, "--callback-delay", "0.01", CALLBACK_URL="http://127.0.0.1:9/"
    )
    async with server, httpx.AsyncClient() as web:
        answer = await web.post(f"{address}/api/endpoint", json={"some_parameter": "soil"})
        await until(lambda: called)
    identifier = answer.json()["identifier"]
    assert called == [f"/done?success=true&identifier={identifier}&some_parameter=soil"]


def test_options_that_the_emulator_refuses_are_explained(command):
    """By the emulator, under either name."""
    run = command("emulator", "--port", "0", "--callback-url", "bot.example")
    assert (run.code, run.out) == (2, "")
    assert "give one such as http://" in run.err
    run = command("send", "push", "--gitlab-version", "16")
    assert run.code == 2
    assert "19.1, 18, 17.3" in run.err


def without_the_emulator(nowhere, *arguments, **environment):
    """Runs ``hookyard`` as it is where the package gitlab_emulator is not installed."""
    program = (
        "import sys; sys.modules['gitlab_emulator'] = None; from hookyard.cli.main import main;"
        "sys.argv[0] = 'hookyard'; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=nowhere,
        env=process_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments", [["send", "push", "--url", "http://a/"], ["emulator", "--port", "0"], ["up"]]
)
def test_what_to_install_is_said_where_the_emulator_is_missing(nowhere, arguments):
    """In one line, with exit 2."""
    run = without_the_emulator(nowhere, *arguments)
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (2, "", 1)
    assert "pip install gitlab-emulator" in run.stderr
    assert "hookyard[test]" in run.stderr


def test_other_commands_do_without_the_emulator(nowhere):
    """And the list of commands says which do not."""
    run = without_the_emulator(nowhere, "--help", COLUMNS="140")
    assert run.returncode == 0
    assert run.stdout.count("(needs: pip install gitlab-emulator)") == 2


def test_up_does_without_the_emulator_where_gitlab_is_a_real_one(nowhere):
    """It goes on to what it needs next: a port that is free."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        run = without_the_emulator(
            nowhere, "up", "--port", port, GL_URL="http://gitlab.test", HOOKYARD_HANDLERS="bot:router"
        )
    assert run.returncode == 1
    assert f"The ingress cannot listen on 127.0.0.1 port {port}" in run.stderr


def test_help_says_where_defaults_come_from(command):
    """Even where settings are wrong, which a help text does not need."""
    run = command("send", "--help", COLUMNS="120", HOOKYARD_PORT="x")
    assert run.code == 0
    for text in ("the ingress here", "the first of GL_SECRET", "GL_URL, else http://127.0.0.1:8002"):
        assert text in run.out


def test_wrong_settings_end_a_send_in_words(command):
    """Before anything is sent."""
    run = command("send", "push", HOOKYARD_PORT="x")
    assert (run.code, run.out) == (2, "")
    assert "HOOKYARD_PORT" in run.err


def test_send_says_where_it_sent_to(command, unused_tcp_port):
    """The port of the settings here; an address that is named goes before it."""
    run = command("send", "push", HOOKYARD_PORT=str(unused_tcp_port))
    assert run.code == 1
    assert f"http://127.0.0.1:{unused_tcp_port}/" in run.out
    run = command("send", "push", "--url", f"http://127.0.0.1:{unused_tcp_port}/named")
    assert f"http://127.0.0.1:{unused_tcp_port}/named" in run.out
