"""Connections: what a client can send beside a body costs no more than it may."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time

import httpx
import pytest

from hookyard.ledger.records import State
from ingress import connection
from ingress.app import create_app
from ingress.connection import MAX_FIELDS, MAX_HEAD_BYTES, Connections, protocol
from tests.fakes import until

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Gitlab-Event: Push Hook\r\n"
CHUNKED = HEAD + b"webhook-id: d-1\r\nTransfer-Encoding: chunked\r\n\r\n"


def webhook(number=1, body=b"{}", further=b""):
    """One webhook as bytes."""
    return HEAD + b"webhook-id: d-%d\r\n%bContent-Length: %d\r\n\r\n%b" % (number, further, len(body), body)


class Counter:
    """Counts answers by status and reason."""

    def __init__(self):
        self.counts = {}

    def __call__(self, status, reason):
        self.counts[status, reason] = self.counts.get((status, reason), 0) + 1


class Door:
    """An ingress on a socket, whose connections are swept all the time."""

    def __init__(self, url, connections):
        self.connections = connections
        self._url = httpx.URL(url)
        self._writers = []

    async def connect(self):
        reader, writer = await asyncio.open_connection(self._url.host, self._url.port)
        self._writers.append(writer)
        return reader, writer

    async def send(self, *pieces, then_end=False):
        """Send *pieces* over a connection of their own, each read by itself; return all that comes back."""
        reader, writer = await self.connect()
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(
                    0.005
                )  # makes pieces of it; were they read together, the answer is the same
            if then_end:
                writer.write_eof()
        return await asyncio.wait_for(reader.read(), 60)

    async def close(self):
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def door(make_settings, free_server):
    """Gives a coroutine function that opens a door."""
    opened, sweeping = [], []

    async def start(*, most=100, keep_alive_s=60.0, **given):
        connections = Connections(most=most, keep_alive_s=keep_alive_s, refused=Counter())
        url = await free_server(create_app(make_settings(**given)), http=protocol(connections), ws="none")
        opened.append(Door(url, connections))

        async def sweep():
            while True:
                connections.sweep(asyncio.get_running_loop().time())
                await asyncio.sleep(0.02)

        sweeping.append(asyncio.create_task(sweep()))
        return opened[-1]

    yield start
    for each in opened:
        await each.close()
    for task in sweeping:
        task.cancel()


def status(answer):
    """The status of the only answer in *answer*."""
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    return int(answer.split()[1])


LARGE_HEADS = {
    "one value": HEAD + b"x: " + b"y" * MAX_HEAD_BYTES + b"\r\n",
    "one name": HEAD + b"y" * MAX_HEAD_BYTES + b": x\r\n",
    "the target": b"POST /?" + b"y" * MAX_HEAD_BYTES + b" HTTP/1.1\r\n",
    "many fields": HEAD + b"a:\r\n" * (MAX_FIELDS + 1),
    "many large fields": HEAD + (b"a: " + b"y" * 8000 + b"\r\n") * 9,
}


@pytest.mark.parametrize("is_complete", [True, False])
@pytest.mark.parametrize("piece_bytes", [300_000, 10_000])
@pytest.mark.parametrize("head", LARGE_HEADS.values(), ids=LARGE_HEADS)
async def test_a_head_that_is_too_large_is_431_and_ends_the_connection(door, head, piece_bytes, is_complete):
    sent = head + b"Content-Length: 2\r\n\r\n{}" if is_complete else head + b"z: " + b"y" * 2000
    pieces = [sent[at : at + piece_bytes] for at in range(0, len(sent), piece_bytes)]
    assert status(await (await door()).send(*pieces)) == 431


async def test_a_head_at_the_limit_is_taken_however_it_is_cut(door):
    at_limit = await door()
    least = [webhook(n, further=b"Connection: close\r\nx: \r\n") for n in (1, 2)]
    room = MAX_HEAD_BYTES - len(least[0]) + len(b"{}")
    sent = [each.replace(b"x: ", b"x: " + b"y" * room) for each in least]
    assert status(await at_limit.send(sent[0])) == 202
    assert status(await at_limit.send(sent[1][:70], sent[1][70:30_000], sent[1][30_000:])) == 202
    assert status(await at_limit.send(sent[0].replace(b"yy", b"yyy", 1))) == 431


async def test_a_head_that_does_not_arrive_is_408_and_a_silent_connection_is_closed(door, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_TIMEOUT_S", 0.2)
    slow = await door()
    assert status(await slow.send(HEAD)) == 408
    assert status(await slow.send(b"P")) == 408
    assert await slow.send() == b""
    reader, writer = await slow.connect()
    writer.write(webhook() + HEAD)  # the second one does not arrive
    answer = await asyncio.wait_for(reader.read(), 60)
    assert answer.count(b"HTTP/1.1 202") == answer.count(b"HTTP/1.1 408") == 1
    await until(lambda: not slow.connections.open)
    assert slow.connections.refused.counts == {(408, "head_too_slow"): 3}


async def test_an_idle_connection_is_closed_and_a_used_one_is_not(door):
    kept = await door(keep_alive_s=0.5)
    (idle, starting), (used, writer) = await kept.connect(), await kept.connect()
    starting.write(webhook(0))
    assert (await idle.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")
    closing = asyncio.create_task(idle.read())
    number = 0
    while not closing.done():
        number += 1
        writer.write(webhook(number))
        assert (await used.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")
        await asyncio.wait([closing], timeout=0.1)
    assert await closing == b""
    assert number > 2
    assert await asyncio.wait_for(used.read(), 60) == b""  # in its turn


async def test_beyond_the_most_connections_the_one_that_waits_longest_is_closed(door):
    full = await door(most=5)
    strangers = [await full.connect() for _ in range(5)]
    await until(lambda: len(full.connections.open) == 5)
    for _, writer in strangers[:3]:
        writer.write(HEAD)
    for number in range(3):
        reader, writer = await full.connect()
        writer.write(webhook(number))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(strangers[number][0].read(), 60) == b""
        assert len(full.connections.open) == 5


async def test_where_all_connections_are_at_work_another_is_503(door):
    busy = await door(most=2)
    for number in range(2):
        _, writer = await busy.connect()
        writer.write(webhook(number, b"{}")[:-1])
    await until(lambda: sum(each.is_known() for each in busy.connections.open) == 2)
    assert status(await busy.send(webhook(3))) == 503


SIGNED = b"webhook-signature: v1,AAAA\r\nwebhook-timestamp: %d\r\n"
STRANGERS = {
    "silent": lambda: b"",
    "half a head": lambda: HEAD,
    "idle": lambda: b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "refused": lambda: webhook(1, b"x" * 100_000)[:-1],
    "refused and chunked": lambda: CHUNKED,
    "signed wrongly": lambda: webhook(1, b"x" * 100, SIGNED % time.time())[:-1],
    "signed wrongly and large": lambda: webhook(1, b"x" * 1_000_000, SIGNED % time.time())[:-1],
}


@pytest.mark.parametrize("sent", STRANGERS.values(), ids=STRANGERS)
async def test_a_genuine_webhook_is_202_while_strangers_hold_all_they_can(door, sent):
    """Whatever state their connections are in, there is room for one that is nobody's victim itself."""
    full = await door(
        most=20,
        GL_SECRET="right",
        GL_SIGNING_TOKEN="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        HOOKYARD_ALLOW_UNAUTHENTICATED=False,
        HOOKYARD_MAX_HELD_BYTES=2**20,
        HOOKYARD_MAX_BODY_BYTES=2**20,
    )
    for number in range(60):
        _, writer = await full.connect()
        writer.write(sent())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        if number % 20 == 19:
            await until(lambda: len(full.connections.open) == 20)
            genuine = webhook(number, further=b"X-Gitlab-Token: right\r\nConnection: close\r\n")
            assert status(await full.send(genuine)) == 202
            assert status(await full.send(genuine[:-1], genuine[-1:])) == 200


@pytest.mark.parametrize("name", ["refused", "refused and chunked", "signed wrongly"])
async def test_a_genuine_webhook_whose_head_is_still_to_come_outlives_strangers_at_work(door, name):
    """Were those without a head closed first, it would always be the newest, which is GitLab's."""
    full = await door(
        most=20,
        GL_SECRET="right",
        GL_SIGNING_TOKEN="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        HOOKYARD_ALLOW_UNAUTHENTICATED=False,
    )

    async def stranger():
        _, writer = await full.connect()
        writer.write(STRANGERS[name]())
        await writer.drain()

    for _ in range(20):
        await stranger()
    await until(lambda: all(each._in_body for each in full.connections.open))
    reader, writer = await full.connect()
    for _ in range(10):
        await stranger()
    await until(lambda: sum(each._in_body for each in full.connections.open) == 19)
    writer.write(webhook(1, further=b"X-Gitlab-Token: right\r\nConnection: close\r\n"))
    assert status(await asyncio.wait_for(reader.read(), 60)) == 202


UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoA\r\n",
    "websocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "unknown": b"Upgrade: x\r\nConnection: keep-alive, Upgrade\r\n",
}


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_upgrade_with_a_body_is_refused_and_its_body_is_no_request(
    door, listing, upgrade, is_chunked
):
    inner = webhook(2)
    outer = (
        CHUNKED.replace(b"\r\n\r\n", b"\r\n" + upgrade + b"\r\n")
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
        if is_chunked
        else webhook(1, inner, upgrade)
    )
    cut = outer.index(b"\r\n\r\n") + 4
    closed = await door()
    assert status(await closed.send(outer)) == 400
    assert status(await closed.send(outer[:cut], outer[cut:])) == 400
    assert (await listing.stats()).total == 0


async def test_an_upgrade_without_a_body_is_not_made(door):
    head = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = await (await door()).send(head + webhook(1))
    assert status(answer) == 200
    assert b"connection: close" in answer


async def test_connect_is_refused(door):
    assert status(await (await door()).send(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\nabc")) in {400, 405}


async def test_trailers_are_no_headers_whenever_they_come(door, listing):
    trailer = b"X-Gitlab-Token: right\r\nwebhook-id: other\r\n\r\n"
    sent = CHUNKED + b"2\r\n{}\r\n0\r\n" + trailer
    strict = await door(GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED=False)
    open_door = await door()
    for pieces in ((sent,), (sent[: -len(trailer)], trailer)):
        assert b" 401 " in await strict.send(*pieces, then_end=True)
        assert b" 202 " in (answer := await open_door.send(*pieces, then_end=True)) or b" 200 " in answer
    assert (await listing.get("d-1")).state is State.QUEUED
    assert (await listing.stats()).total == 1


async def test_blanks_around_a_value_are_no_part_of_it(door, listing):
    sent = webhook(1, further=b"X-Gitlab-Token: \t right \t \r\nConnection: close\r\n")
    strict = await door(GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED=False)
    assert status(await strict.send(sent)) == 202


async def test_framing_that_outweighs_the_body_is_refused(door):
    refusing = await door()
    for chunk in (b"1;" + b"x" * 1000 + b"\r\n{\r\n", b"0\r\n" + b"x: y\r\n" * 1000):
        _, writer = await refusing.connect()
        writer.write(CHUNKED)
        with contextlib.suppress(ConnectionError):
            for _ in range(400):
                writer.write(chunk)
                await writer.drain()
            writer.write(b"")
        await until(lambda: not refusing.connections.open)


async def test_a_client_that_ends_its_side_after_the_request_gets_its_answer(door):
    half_closed = await door()
    for number in range(20):
        assert status(await half_closed.send(webhook(number), then_end=True)) == 202


async def test_a_client_that_ends_amid_a_body_leaves_nothing(door, listing):
    assert await (await door()).send(webhook()[:-1], then_end=True) == b""
    assert (await listing.stats()).total == 0


async def test_requests_sent_ahead_wait_in_the_socket(door):
    """However many come at once, one is parsed at a time and the others are bytes."""
    ahead = await door()
    reader, writer = await ahead.connect()
    count = 3000
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * count)
    most = 0
    for _ in range(count):
        await asyncio.wait_for(reader.readuntil(b"ok\n"), 60)
        most = max([most, *(len(each.pipeline) for each in ahead.connections.open)])
    assert most == 0
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * count)
    await reader.readuntil(b"ok\n")
    writer.transport.abort()
    await until(lambda: not ahead.connections.open)
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, connection.Connection) and each._held]


async def test_while_the_server_drains_answers_end_their_connections(door):
    draining = await door()
    reader, writer = await draining.connect()
    writer.write(webhook(1))
    assert b"connection" not in await reader.readuntil(b"\r\n\r\n")
    draining.connections.is_draining = True
    writer.write(webhook(2))
    assert b"connection: close" in await asyncio.wait_for(reader.read(), 60)


async def test_garbage_is_a_400_and_ends_the_connection(door):
    for sent in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        CHUNKED + b"zz\r\n",
    ):
        assert status(await (await door()).send(sent)) == 400
