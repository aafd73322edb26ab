"""The command line, as real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from standardwebhooks import Webhook
from waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[1]
SIGNING_TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
DEADLINE_S = 60


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Starts `python -m gitlab_emulator …`."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("EMULATOR_", "CALLBACK_"))
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gitlab_emulator", *arguments),
        cwd=ROOT,
        env={**clean, "PYTHONUNBUFFERED": "1", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(*arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """Runs it to its end: exit code, output, errors."""
    process = await start(*arguments, **environment)
    output, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def serving(
    *arguments: str, **environment: str
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """An emulator on a free port, and its address."""
    process = await start("serve", "--port", "0", *arguments, **environment)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode()
    try:
        yield line.split()[3], process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), DEADLINE_S)


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps what it is sent and answers with one status after the other; 0: not at all."""
    received: list[dict[str, Any]] = []
    at_the_end = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        received.append({"target": head.split(" ")[1], "headers": headers, "body": body})
        status = statuses[(len(received) - 1) % len(statuses)]
        if not status:
            await at_the_end.wait()
        writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", received
        at_the_end.set()


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("command", [(), ("serve",), ("send",)])
async def test_help_names_the_command_and_fits_the_terminal(command: tuple[str, ...], columns: int) -> None:
    """Under its own name also when it is started as a module."""
    code, output, errors = await run(*command, "--help", COLUMNS=str(columns), TERMINAL_WIDTH=str(columns))
    assert (code, errors) == (0, "")
    assert f"Usage: {' '.join(['gitlab-emulator', *command])} " in output
    assert "python -m" not in output
    assert max(map(len, output.splitlines())) <= columns


async def test_a_mistake_is_answered_with_the_name_of_the_command() -> None:
    """What to type for help is what was typed."""
    code, _, errors = await run("sent")
    assert code == 2
    assert "Try 'gitlab-emulator -h' for help." in errors


async def test_the_version_is_printed() -> None:
    """With the name, as bug reports want it."""
    code, output, _ = await run("--version")
    assert (code, output.split()[0]) == (0, "gitlab-emulator")
    assert output.split()[1][0].isdigit()


async def test_a_sent_event_arrives_with_headers_and_a_signature_that_verifies() -> None:
    """Secrets come by the environment, so that no process list shows them."""
    async with receiver(202) as (url, received):
        code, output, errors = await run(
            *("send", "issue-open", "--url", url, "--set", "object_attributes.action=close"),
            *("--gitlab-url", "http://gitlab.test:8002", "--id", "d-1"),
            EMULATOR_SECRET_TOKEN="hush",
            EMULATOR_SIGNING_TOKEN=SIGNING_TOKEN,
        )
    assert (code, errors) == (0, "")
    assert output.startswith("issue-open  d-1  202  ")
    assert output.endswith(f" ms  {url}\n")
    (delivery,) = received
    headers = delivery["headers"]
    assert (headers["x-gitlab-event"], headers["x-gitlab-token"]) == ("Issue Hook", "hush")
    assert (headers["webhook-id"], headers["idempotency-key"]) == ("d-1", "d-1")
    assert headers["x-gitlab-instance"] == "http://gitlab.test:8002"
    assert headers["user-agent"] == "GitLab/19.1.0"
    body = Webhook(SIGNING_TOKEN).verify(delivery["body"], headers)
    assert body["object_attributes"]["action"] == "close"
    assert body["object_attributes"]["url"].startswith("http://gitlab.test:8002/greenhouse/")


async def test_many_can_be_sent_each_with_its_own_id() -> None:
    """One JSON object a line, for programs."""
    async with receiver(200) as (url, received):
        code, output, _ = await run("send", "push", "--url", url, "--count", "3", "--json")
    reports = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    assert [report["status"] for report in reports] == [200, 200, 200]
    assert len({report["id"] for report in reports}) == 3
    assert [report["id"] for report in reports] == [one["headers"]["webhook-id"] for one in received]
    assert reports[0].keys() == {"name", "event", "id", "url", "status", "ms", "ok", "error"}


async def test_a_file_is_sent_under_the_event_that_is_named(tmp_path: Path) -> None:
    """Byte for byte."""
    (tmp_path / "body.json").write_bytes(b'{ "odd" :  1 }')
    async with receiver(200) as (url, received):
        code, _, _ = await run(
            "send", "--file", str(tmp_path / "body.json"), "--event", "Odd Hook", "--url", url
        )
    assert code == 0
    assert received[0]["body"] == b'{ "odd" :  1 }'
    assert received[0]["headers"]["x-gitlab-event"] == "Odd Hook"


async def test_an_answer_other_than_2xx_is_a_failure() -> None:
    """Exit 1, and the status in the line."""
    async with receiver(503) as (url, _):
        code, output, _ = await run("send", "push", "--url", url)
    assert code == 1
    assert "  503  " in output


async def test_nobody_listening_gets_one_plain_sentence(unused_tcp_port: int) -> None:
    """That says what to do; no traceback, and no second attempt."""
    code, output, errors = await run(
        "send", "push", "--url", f"http://127.0.0.1:{unused_tcp_port}/", "--count", "5"
    )
    assert (code, errors) == (1, "")
    assert output.count("connection refused by") == 1
    assert "--url" in output


async def test_an_unknown_event_leads_to_the_known_ones() -> None:
    """And the one that was probably meant."""
    code, _, errors = await run("send", "issue-opened")
    assert (code, errors) == (
        2,
        "there is no sample 'issue-opened'. Did you mean issue-open? See all of them with --list.\n",
    )


async def test_a_bad_signing_token_is_not_repeated() -> None:
    """Errors end up in logs."""
    code, output, errors = await run("send", "push", EMULATOR_SIGNING_TOKEN="hunter2")
    assert code == 2
    assert "base64 of 32 bytes" in errors
    assert "hunter2" not in output + errors


@pytest.mark.parametrize("arguments", [("--list",), ("--list", "--json")])
async def test_samples_can_be_listed(arguments: tuple[str, ...]) -> None:
    """For people and for programs."""
    code, output, _ = await run("send", *arguments)
    assert code == 0
    assert "merge-request-open" in output
    if "--json" in arguments:
        assert json.loads(output)[0].keys() == {"name", "event", "summary"}


async def test_a_run_at_a_rate_ends_with_its_numbers() -> None:
    """For people; a pipe gets no progress."""
    async with receiver(202) as (url, received):
        code, output, errors = await run("send", "push", "--url", url, "--count", "20", "--rate", "500")
    assert (code, errors, len(received)) == (0, "", 20)
    assert len({one["headers"]["webhook-id"] for one in received}) == 20
    rows = [line.split()[0] for line in output.splitlines()]
    assert [row for row in rows if row != "late"] == ["sent", "to", "answered", "latency"]
    assert "answered  202: 20" in output


async def test_a_run_with_a_failure_is_one(unused_tcp_port: int) -> None:
    """The numbers by status, for programs; exit 1, so that a script notices."""
    async with receiver(202, 202, 500, 404) as (url, _):
        options = ("--count", "8", "--rate", "500", "--json")
        code, output, errors = await run("send", "push", "--url", url, *options)
    numbers = json.loads(output)
    assert (code, errors) == (1, "")
    assert (numbers["sent"], numbers["ok"]) == (8, 4)
    assert numbers["by_status"] == {"202": 4, "404": 2, "500": 2}


async def test_a_run_that_reaches_nobody_says_what_to_do(unused_tcp_port: int) -> None:
    """Once, instead of numbers that say nothing."""
    url = f"http://127.0.0.1:{unused_tcp_port}/"
    code, output, errors = await run("send", "push", "--url", url, "--count", "9999", "--rate", "500")
    assert (code, output) == (1, "")
    assert errors.startswith(f"connection refused by {url}: start the receiver")
    assert len(errors.splitlines()) == 1


async def test_ctrl_c_gives_the_numbers_so_far() -> None:
    """What was under way is named; the exit code is that of an interrupted command."""
    async with receiver(202, 0) as (url, received):
        process = await start("send", "push", "--url", url, "--count", "999", "--rate", "100")
        await until(lambda: len(received) >= 6)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert (process.returncode, errors) == (130, b"")
    lines = output.decode().splitlines()
    assert " of 999 in " in lines[0]
    assert any(line.startswith("cut off") for line in lines)


async def test_an_older_gitlab_sends_its_own_headers() -> None:
    """Which know no signature; that is said, since a receiver may want one."""
    async with receiver(200) as (url, received):
        version = ("--gitlab-version", "17.3")
        code, _, errors = await run(
            "send", "push", "--url", url, *version, EMULATOR_SIGNING_TOKEN=SIGNING_TOKEN
        )
    assert (code, errors) == (0, "Not signed: GitLab 17.3 has no signing tokens.\n")
    headers = received[0]["headers"]
    assert headers["user-agent"] == "GitLab/17.3.0"
    assert not headers.keys() & {"webhook-id", "webhook-signature", "idempotency-key"}


async def test_a_file_may_tell_itself_what_event_it_is(tmp_path: Path) -> None:
    """By its object_kind; one without has to be helped."""
    (tmp_path / "body.json").write_text('{"object_kind": "note", "event_type": "confidential_note"}')
    (tmp_path / "odd.json").write_text('{"odd": 1}')
    async with receiver(200) as (url, received):
        code, output, _ = await run("send", "--file", str(tmp_path / "body.json"), "--url", url)
        odd = await run("send", "--file", str(tmp_path / "odd.json"), "--url", url)
    assert (code, output.split("  ")[0]) == (0, "Confidential Note Hook")
    assert received[0]["headers"]["x-gitlab-event"] == "Confidential Note Hook"
    assert (odd[0], len(received)) == (2, 1)
    assert "--event" in odd[2]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("send", "push", "--gitlab-version", "16"), "not one of 19.1, 18, 17.3"),
        (("send", "push", "--rate", "0"), "--rate"),
        (("send",), "--list shows them"),
        (("send", "--file", "no-such-file"), "cannot read no-such-file: No such file or directory"),
        (("serve", "--port", "0", "--callback-url", "bot"), "give one such as http://"),
        (("serve", "--port", "0", "--hook", "ftp://bot"), "Invalid url given"),
        (("serve", "--port", "0", "--user-token", "glpat-1"), "TOKEN=USER"),
        (("serve", "--port", "0", "--state-file", "no/such/folder/state.json"), "cannot write no/such"),
    ],
)
async def test_options_that_make_no_sense_are_refused(options: tuple[str, ...], text: str) -> None:
    """With exit 2, and no traceback."""
    code, output, errors = await run(*options)
    assert (code, output) == (2, "")
    assert text in " ".join(errors.split())
    assert "Traceback" not in errors


async def test_serve_answers_and_sigterm_ends_it_in_good_order() -> None:
    """With a token from the environment, links as told, and open requests cut short after a second."""
    options = ("--external-url", "http://git.example")
    async with (
        serving(*options, EMULATOR_TOKEN="glpat-one") as (address, process),
        httpx.AsyncClient() as web,
    ):
        assert (await web.get(f"{address}/health")).status_code == 200
        assert (await web.get(f"{address}/api/v4/user")).status_code == 401
        project = f"{address}/api/v4/projects/greenhouse%2Fwatering-can"
        answer = await web.get(project, headers={"PRIVATE-TOKEN": "glpat-one"})
        assert answer.json()["web_url"] == "http://git.example/greenhouse/watering-can"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DEADLINE_S) == 0


async def test_a_malformed_request_does_not_bring_it_down() -> None:
    """Bytes that are no HTTP, or HTTP with an odd path, then an ordinary request."""
    async with serving() as (address, _):
        url = httpx.URL(address)
        for request in (
            b"\xff\xfe\r\n\r\n",
            b"GET /api/v4/projects/%zz%ff/issues HTTP/1.1\r\nHost: [\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(request)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
            assert b" 500 " not in answer.split(b"\r\n")[0]
            writer.close()
        async with httpx.AsyncClient() as web:
            assert (await web.get(f"{address}/")).status_code == 200


async def test_a_port_that_is_taken_gets_one_plain_line() -> None:
    """And exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, output, errors = await run("serve", "--port", str(taken.getsockname()[1]))
    assert (code, output) == (1, "")
    assert errors.startswith("cannot listen on 127.0.0.1 port ")
    assert len(errors.splitlines()) == 1


async def test_the_third_party_calls_back_over_real_connections() -> None:
    """Its address comes from the environment, as bots' own settings do."""
    async with (
        receiver(200) as (url, received),
        serving("--callback-delay", "0", CALLBACK_URL=f"{url}done?kept=1") as (address, _),
        httpx.AsyncClient() as web,
    ):
        answer = await web.post(f"{address}/api/endpoint", json={"some_parameter": "two words"})
        assert answer.json()["success"] is True
        await until(lambda: received)
    identifier = answer.json()["identifier"]
    query = f"kept=1&success=true&identifier={identifier}&some_parameter=two%20words"
    assert [one["target"] for one in received] == [f"/done?{query}"]


async def test_callbacks_that_are_due_at_the_end_are_made_then() -> None:
    """And told of, before the process leaves in good order."""
    async with receiver(200) as (url, received):
        process = await start("serve", "--port", "0", "--callback-delay", "3600", CALLBACK_URL=url)
        assert process.stdout is not None
        address = (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode().split()[3]
        async with httpx.AsyncClient() as web:
            for _ in range(2):
                await web.post(f"{address}/api/endpoint", data={"some_parameter": "soil"})
        assert received == []
        process.terminate()
        output, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert (process.returncode, len(received)) == (0, 2)
    assert "calls" in output.decode()
    assert "still due at the end: 2 (made at once: 2, failed or not made: 0)" in errors.decode()


async def test_at_start_it_says_where_callbacks_and_webhooks_go() -> None:
    """Without a password that stands in an address, and that nobody is called without one."""
    process = await start(
        *("serve", "--port", "0", "--hook", "http://ann:hush@bot.example/"),
        *("--callback-url", "http://ann:hush@bot.example/done?key=hush"),
    )
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode() for _ in range(3)]
    process.terminate()
    await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert lines[1].endswith(": http://bot.example/\n")
    assert lines[2].endswith("calls back http://bot.example/done after 5 s\n")
    async with serving() as (_, process):
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode()
        assert "makes no callbacks" in line
        assert "--callback-url" in line


async def test_a_hook_from_the_start_gets_what_happens() -> None:
    """Signed as it would be by GitLab; the issue is opened through the API."""
    secrets = {"EMULATOR_SECRET_TOKEN": "hush", "EMULATOR_SIGNING_TOKEN": SIGNING_TOKEN}
    async with (
        receiver(200) as (url, received),
        serving("--hook", url, **secrets) as (address, _),
        httpx.AsyncClient() as web,
    ):
        await web.post(f"{address}/api/v4/projects/1/issues", json={"title": "Dry beds"})
        await until(lambda: received)
    headers = received[0]["headers"]
    assert (headers["x-gitlab-event"], headers["x-gitlab-token"]) == ("Issue Hook", "hush")
    body = Webhook(SIGNING_TOKEN).verify(received[0]["body"], headers)
    assert body["object_attributes"]["title"] == "Dry beds"


async def test_the_state_outlives_the_process_in_its_file(tmp_path: Path) -> None:
    """With the hook, which does not come twice."""
    options = ("--state-file", str(tmp_path / "state.json"), "--hook", "http://127.0.0.1:9/")
    async with httpx.AsyncClient() as web:
        async with serving(*options) as (address, _):
            await web.post(f"{address}/api/v4/projects/1/issues", json={"title": "Dry beds"})
        async with serving(*options) as (address, _):
            issues = (await web.get(f"{address}/api/v4/projects/1/issues")).json()
            hooks = (await web.get(f"{address}/api/v4/projects/1/hooks")).json()
    assert "Dry beds" in [issue["title"] for issue in issues]
    assert [hook["url"] for hook in hooks] == ["http://127.0.0.1:9/"]


async def test_users_have_tokens_and_limits() -> None:
    """Whoever calls too often is told when to come back."""
    options = ("--user-token", "glpat-b=basil", "--rate-limit", "2")
    async with serving(*options) as (address, _), httpx.AsyncClient() as web:
        assert (await web.get(f"{address}/api/v4/user")).status_code == 401
        headers = {"PRIVATE-TOKEN": "glpat-b"}
        answers = [await web.get(f"{address}/api/v4/user", headers=headers) for _ in range(7)]
    assert answers[0].json()["username"] == "basil"
    refused = [answer for answer in answers if answer.status_code == 429]  # whenever a minute ends between
    assert refused
    assert all("retry-after" in answer.headers for answer in refused)
