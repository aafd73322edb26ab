"""`hookyard send` and `hookyard emulator`: their options reach the emulator, with this place's secrets."""

from __future__ import annotations

import asyncio
import json
import signal

import httpx

from tests.fakes import until

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
