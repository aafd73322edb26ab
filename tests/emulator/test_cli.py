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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
SIGNING_TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
DEADLINE_S = 20


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Starts `python -m emulator …`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EMULATOR_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulator", *arguments),
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
async def receiver(status: int) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps what it is sent and answers with this status."""
    received: list[dict[str, Any]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        received.append({"headers": headers, "body": body})
        writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", received


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
    assert output.count("nobody listens at") == 1
    assert "--url" in output


async def test_an_unknown_event_lists_the_known_ones() -> None:
    """And the one that was probably meant."""
    code, _, errors = await run("send", "issue-opened")
    assert code == 2
    assert "Did you mean issue-open?" in errors
    assert "merge-request-merge" in errors


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
