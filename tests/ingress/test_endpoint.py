"""The endpoint on a real socket: answers, pieces, requests sent ahead, refusals, Redis away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal

import httpx
import pytest
import uvicorn

from hookyard.ledger.records import State
from ingress.app import create_app
from ingress.connection import Connections, protocol
from ingress.memory_budget import MemoryBudget, OverBudget
from tests.fakes import until

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Gitlab-Event: Push Hook\r\n"
ANSWER = re.compile(
    rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+\r\n((?:[a-z-]+: [^\r\n]+\r\n)+)\r\n", re.ASCII
)  # status, headers


def request(number, body=b"{}", *, further=b"", head=HEAD):
    """One webhook as bytes."""
    return head + b"webhook-id: d-%d\r\n%bContent-Length: %d\r\n\r\n%b" % (number, further, len(body), body)


@pytest.fixture
def budgets(monkeypatch):
    """The memory budgets of the test's ingresses."""
    made = []
    real = MemoryBudget.__init__

    def init(self, **given):
        real(self, **given)
        made.append(self)

    monkeypatch.setattr(MemoryBudget, "__init__", init)
    return made


@pytest.fixture
async def serve(make_settings, free_server):
    """Gives a coroutine function that serves an ingress, and returns one that opens a connection to it."""
    opened = []

    async def start(*, uvicorn_options=None, **given):
        app = create_app(make_settings(**given))
        guarded = protocol(Connections(most=100, keep_alive_s=60, refused=lambda *_: None))
        options = {"proxy_headers": False, "server_header": False, "http": guarded, "ws": "none"}
        options |= uvicorn_options or {}
        url = httpx.URL(await free_server(app, **options))

        async def connect():
            reader, writer = await asyncio.open_connection(url.host, url.port)
            opened.append(writer)
            return reader, writer

        return connect

    yield start
    for writer in opened:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def read_answer(reader):
    """Read one answer: its status, its headers, and its body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    found = ANSWER.fullmatch(head)
    assert found, head
    headers = dict(line.split(b": ", 1) for line in found[2].split(b"\r\n") if line)
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers.pop(b"date"))
    return int(found[1]), headers, await reader.readexactly(int(headers[b"content-length"]))


async def ask(connect, *pieces):
    """Send *pieces*, each once the server had time to read the one before, and give the status."""
    reader, writer = await connect()
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)  # makes pieces of it; were they read together, the answer is the same
    return (await read_answer(reader))[0]


async def test_webhooks_over_one_connection_are_answered_without_a_body(serve, listing):
    connect = await serve()
    reader, writer = await connect()
    for number, status in ((1, 202), (1, 200), (2, 202)):
        writer.write(request(number))
        assert await read_answer(reader) == (status, {b"content-length": b"0"}, b"")
    assert (await listing.stats()).states[State.QUEUED] == 2


@pytest.mark.parametrize(
    "sent",
    [
        request(1).replace(b"POST / ", b"POST /?a=b "),
        request(1).replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(1, further=b"Connection: close\r\n"),
        request(1, further=b"Expect: 100-continue\r\n"),
        request(1, b'"' + b"x" * 200_000 + b'"'),
        HEAD + b"webhook-id: d-1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["query", "HTTP/1.0", "close", "expect", "long", "chunked"],
)
async def test_an_unusual_request_is_accepted_like_any_other(serve, listing, sent):
    reader, writer = await (await serve())()
    writer.write(sent)
    if b"Expect" in sent:
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await read_answer(reader))[0] == 202
    assert (await listing.get("d-1")).state is State.QUEUED


@pytest.mark.parametrize(
    "options", [{"limit_concurrency": 1000}, {"root_path": "/bot"}, {"http": "h11"}, {"http": "httptools"}]
)
async def test_a_server_that_is_set_up_otherwise_serves_as_well(serve, listing, options):
    reader, writer = await (await serve(uvicorn_options=options))()
    writer.write(request(1))
    assert (await read_answer(reader))[0] == 202
    assert (await listing.stats()).total == 1


@pytest.mark.parametrize("at", [1, 40, len(HEAD), -20, -2, -1])
async def test_what_comes_in_pieces_is_kept_whole(serve, listing, at):
    body = b'{"object_kind": "push"}'
    whole = request(1, body)
    assert await ask(await serve(), whole[:at], whole[at:]) == 202
    assert (await listing.get("d-1")).delivery.body == body


async def test_what_comes_byte_by_byte_is_kept_whole(serve, listing):
    whole = request(1, b'{"a": 1}')
    assert await ask(await serve(), *(whole[at : at + 1] for at in range(len(whole)))) == 202
    assert (await listing.get("d-1")).delivery.body == b'{"a": 1}'


@pytest.mark.parametrize("between", [b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", request(2, b"[1")])
async def test_requests_sent_ahead_are_answered_in_their_order(serve, listing, between):
    reader, writer = await (await serve())()
    writer.write(request(1) + between + request(3) + request(1) + request(4))
    answers = [(await read_answer(reader))[0] for _ in range(5)]
    assert answers == [202, 200 if b"GET" in between else 400, 202, 200, 202]
    assert (await listing.stats()).total == 3


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (request(1, b"{"), 400, b"not JSON"),
        (request(1).replace(b"d-1", b":"), 400, b"delivery id"),
        (request(1, further=b"X-Gitlab-Token: wrong\r\n"), 401, b"not one of GL_SECRET"),
        (request(1).replace(b"json", b"xml"), 415, b"Content-Type"),
    ],
)
async def test_a_refusal_says_why_and_the_connection_goes_on(serve, listing, sent, status, words):
    token = b"X-Gitlab-Token: right\r\n"
    reader, writer = await (await serve(GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED=False))()
    writer.write(sent if b"Token" in sent else sent.replace(b"Host", token + b"Host"))
    found, headers, said = await read_answer(reader)
    assert (found, headers[b"content-type"]) == (status, b"text/plain; charset=utf-8")
    assert words in said
    writer.write(request(7, further=token))
    assert (await read_answer(reader))[0] == 202
    assert (await listing.stats()).total == 1


async def test_more_than_may_be_held_is_503(serve, monkeypatch):
    monkeypatch.setattr("ingress.memory_budget.MemoryBudget.reserve", _is_full)
    reader, writer = await (await serve())()
    writer.write(request(1))
    status, headers, _ = await read_answer(reader)
    assert (status, headers[b"retry-after"]) == (503, b"10")


def _is_full(_self, **_given):
    raise OverBudget


async def test_what_is_held_is_given_back(serve, budgets):
    reader, writer = await (await serve())()
    for sent in (request(1), request(1), request(2, b"["), request(3)):
        writer.write(sent)
        await read_answer(reader)
    assert [budget.held_bytes for budget in budgets] == [0]


async def test_a_bug_of_ours_is_a_500_and_the_next_request_is_answered(serve, budgets, monkeypatch, caplog):
    reader, writer = await (await serve())()
    with monkeypatch.context() as patched:
        patched.setattr("ingress.endpoint.judge", lambda *_given, **_named: 1 / 0)
        writer.write(request(1))
        assert (await read_answer(reader))[0] == 500
    assert "ZeroDivisionError" in caplog.text
    assert budgets[0].held_bytes == 0
    reader, writer = await (await serve())()
    writer.write(request(1))
    assert (await read_answer(reader))[0] == 202


async def test_who_hangs_up_before_the_answer_leaves_his_delivery(serve, listing):
    connect = await serve()
    _, writer = await connect()
    writer.write(request(1))
    await writer.drain()
    writer.transport.abort()

    async def kept():
        return (await listing.stats()).total == 1

    await until(kept)
    assert await ask(connect, request(2)) == 202


async def test_what_a_hung_redis_does_not_take_is_spooled_in_its_turn(serve, own_redis, tmp_path):
    connect = await serve(
        REDIS_URL=own_redis.url, HOOKYARD_SPOOL_DIR=tmp_path / "spool", HOOKYARD_REDIS_TIMEOUT_S=0.3
    )
    reader, writer = await connect()
    writer.write(request(1))
    assert (await read_answer(reader))[0] == 202
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        writer.write(request(2) + request(3))
        assert [(await read_answer(reader))[0] for _ in range(2)] == [202, 202]
        writer.write(request(4))
        assert (await read_answer(reader))[0] == 202
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)


async def test_without_a_spool_a_hung_redis_is_a_503_with_the_word_when_to_come_again(serve, own_redis):
    connect = await serve(REDIS_URL=own_redis.url, HOOKYARD_REDIS_TIMEOUT_S=0.3)
    reader, writer = await connect()
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        writer.write(request(1) + request(2))
        answers = [await read_answer(reader) for _ in range(2)]
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    assert [(status, headers[b"retry-after"]) for status, headers, _ in answers] == [(503, b"10")] * 2


async def test_a_server_that_stops_answers_what_it_has_and_closes_the_connection(
    make_settings, own_redis, tmp_path
):
    app = create_app(
        make_settings(
            REDIS_URL=own_redis.url, HOOKYARD_SPOOL_DIR=tmp_path / "s", HOOKYARD_REDIS_TIMEOUT_S=0.5
        )
    )
    config = uvicorn.Config(app, port=0, proxy_headers=False, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname()[:2])
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        writer.write(request(1))
        await writer.drain()
        await until(lambda: any(connection.cycle for connection in server.server_state.connections))
        server.should_exit = True
        status, headers, _ = await read_answer(reader)
        assert (status, headers[b"connection"]) == (202, b"close")
        assert await reader.read() == b""
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
        writer.close()
    await asyncio.wait_for(serving, 60)
