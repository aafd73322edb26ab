"""The memory of an ingress process stays within bounds whatever strangers send it, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest

from tests.fakes import until
from tests.integration.test_ingress_bounds import resident_mib

MIB = 1024 * 1024
MOST_GROWTH_MIB = 64
"""What the attacks took at least before there were limits: 100 for trailers, gigabytes for requests ahead."""

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Gitlab-Event: Push Hook\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
ATTACKS = {  # connections, bytes at first, bytes that repeat, how much of them
    "fields": (1, POST, b"a:\r\n" * 10_000, 16 * MIB),
    "one value": (1, POST + b"a: ", b"b" * 64 * 1024, 32 * MIB),
    "one target": (1, b"POST /", b"b" * 64 * 1024, 32 * MIB),
    "trailers": (1, CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000, 8 * MIB),
    "a chunk's extension": (1, CHUNKED + b"1;", b"a" * 64 * 1024, 8 * MIB),
    "requests ahead": (1, b"", GET * 2000, 8 * MIB),
    "requests ahead of many": (60, b"", b"POST / HTTP/1.1\r\n\r\n" * 12_000, 222_000),
    "large heads of many": (20, POST, b"a: " + b"b" * 8000 + b"\r\n", MIB),
    "heads of very many": (500, POST, b"a: " + b"b" * 8000 + b"\r\n", 60_000),
    "bodies without a token": (50, POST + b"Content-Length: 26214400\r\n\r\n", b"x" * 64 * 1024, MIB),
    "chunks without a token": (20, CHUNKED, b"1\r\n1\r\n" * 10_000, MIB),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_no_stranger_makes_an_ingress_grow_by_much(processes):
    ingress, url = processes.ingress(
        GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED="false", HOOKYARD_LOG_LEVEL="error"
    )
    at = httpx.URL(url)
    genuine = {"content-type": "application/json", "x-gitlab-event": "Push Hook", "x-gitlab-token": "right"}
    most = {}

    async def attack(first, piece, size, writers):
        _, writer = await asyncio.open_connection(at.host, at.port)
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            writer.write(first)
            for _ in range(0, size, len(piece)):
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), 1)

    async with httpx.AsyncClient() as client:
        for number in range(20):
            assert (await client.post(url, json={}, headers=genuine)).status_code == 202, number
        before = resident_mib(ingress.pid)
        for name, (count, first, piece, size) in ATTACKS.items():
            writers = []
            attacking = [asyncio.create_task(attack(first, piece, size, writers)) for _ in range(count)]
            pending = set(attacking)
            while pending:
                _, pending = await asyncio.wait(pending, timeout=0.05)
                most[name] = max(most.get(name, 0), resident_mib(ingress.pid) - before)
            answer = await client.post(url, json={}, headers=genuine)  # while they hold what they can
            assert answer.status_code == 202, name
            for writer in writers:
                writer.transport.abort()
            await asyncio.gather(*attacking, return_exceptions=True)

        async def is_back():
            assert (await client.post(url, json={}, headers=genuine)).status_code == 202
            return resident_mib(ingress.pid) - before < MOST_GROWTH_MIB

        await until(is_back)
    assert ingress.poll() is None
    assert max(most.values()) < MOST_GROWTH_MIB, most
