"""No request stops the event loop for long: measured in processor time, against work of the same run.

While one callback runs, nobody else is answered; a client with the right secret may still be hostile.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import logging
import time

import pytest
import structlog

from hookyard.settings.settings import load
from ingress.connection import Connections, protocol
from ingress.outline import outline
from ingress.parsing import LARGE_BYTES
from tests.ingress.differential.connecting import Server
from tests.ingress.differential.table import post

READ_BYTES = 256 * 1024
"""What uvloop hands over at a time."""

MIB = 1024 * 1024
JSON = b"Content-Type: application/json\r\n"
FORM = b"application/x-www-form-urlencoded"


def of_type(content_type, body=b'{"a": 1}', further=b""):
    """A webhook with another Content-Type."""
    return post(further, body).replace(JSON, b"Content-Type: %b\r\n" % content_type)


def repeated(start, piece, end, size=LARGE_BYTES):
    """A text of *size* bytes."""
    return start + piece * ((size - len(start) - len(end)) // len(piece)) + end


LISTS = repeated(b"[", b"[],", b"1]")
CASES = {
    "semicolons": of_type(b'application/json; a="' + b";" * 60_000),
    "parameters": of_type(b"application/json" + b";a=b" * 15_000),
    "type at its limit": of_type(b'application/json; a="' + b";" * 178),
    "punycode": of_type(b"application/json; charset=punycode", b"a" * LARGE_BYTES),
    "utf-16": of_type(b"application/json; charset=utf-16", LISTS.decode().encode("utf-16")[:LARGE_BYTES]),
    "one header of 60 KB": post(b"X-A: " + b"a" * 60_000 + b"\r\n"),
    "signatures": post(b"webhook-signature: " + b"v1,AAAA " * 7000 + b"\r\n"),
    "blanks": post(b"X-A:" + b" \t" * 30_000 + b"\r\n"),
    "empty fields": post(b"a:\r\n" * 15_000),
    "lists": post(body=LISTS),
    "objects": post(body=repeated(b"[", b"{},", b"1]")),
    "keys": post(body=json.dumps({str(n): 1 for n in range(10_000)}).encode()),
    "not a number": post(body=repeated(b"[NaN,", b"[],", b"1]")),
    "half surrogates": post(body=repeated(b'["', b"\\ud800", b'"]')),
    "escapes": post(body=repeated(b'["', b"\\u00e4", b'"]')),
    "long numbers": post(body=repeated(b"[", b"9" * 4300 + b",", b"1]")),
    "too long a number": post(body=b"9" * LARGE_BYTES),
    "floats": post(body=repeated(b"[", b"1.7976931348623157e308,", b"1]")),
    "deep": post(body=repeated(b"", b"[", b"")),
    "form of fields": of_type(FORM, repeated(b"payload={}", b"&a=1", b"")),
    "form of escapes": of_type(FORM, repeated(b"payload=%7B%7D", b"%41", b"")),
    "form of a payload": of_type(FORM, repeated(b"payload=%22", b"%c3%a4", b"%22")),
    "blank lines as a body": post(body=repeated(b"", b"\r\n\r\n", b"")),
    "request lines as a body": post(body=repeated(b"", b"POST / HTTP/1.1\r\n", b"")),
    "blank lines in a chunk": post(
        b"Transfer-Encoding: chunked\r\n",
        b"3ff00\r\n" + b"\r\n\r\n" * (0x3FF00 // 4) + b"\r\n0\r\n\r\n",
        length=b"",
    ),
    "chunks of a byte": post(
        b"Transfer-Encoding: chunked\r\n", b"1\r\n1\r\n" * 40_000 + b"0\r\n\r\n", length=b""
    ),
    "extensions": post(
        b"Transfer-Encoding: chunked\r\n", b"1;a\r\n1\r\n" * 30_000 + b"0\r\n\r\n", length=b""
    ),
    "trailers": post(b"Transfer-Encoding: chunked\r\n", b"1\r\n1\r\n0\r\n" + b"a:\r\n" * 60_000, length=b""),
    "empty lines ahead": b"\r\n" * (READ_BYTES // 2),
    "requests ahead": b"GET /health HTTP/1.1\r\n\r\n" * 10_000,
    "webhooks ahead": post() * 1000,
}
LARGE = {
    "lists": repeated(b"[", b"[],", b"1]", 25 * MIB),
    "objects": repeated(b'{"issue":[', b"{},", b"1]}", 25 * MIB),
    "numbers": repeated(b"[", b"1,", b"1]", 25 * MIB),
    "escapes": repeated(b'["', b"\\u0041", b'"]', 25 * MIB),
    "not ASCII": repeated(b'["', "ä".encode(), b'"]', 25 * MIB),
}


def is_short(took_s, *, times=1):
    """Whether that is less than the reference, as it was measured before or, if need be, as it is now."""
    return took_s < times * known_reference_s() or took_s < times * reference_s()


@functools.cache
def known_reference_s():
    return reference_s()


def reference_s():
    """The processor time of work whose length is allowed: to read 3 MB of empty lists, 50 ms or so."""
    text = repeated(b"[", b"[],", b"1]", 3 * MIB)

    def once():
        began = time.thread_time()
        json.loads(text)
        return time.thread_time() - began

    return max(once() for _ in range(3))


@pytest.fixture
def longest_s(monkeypatch):
    """The processor time of the longest callback of the event loop since the list was emptied."""
    found = [0.0]
    run = asyncio.Handle._run

    def measured(handle):
        began = time.thread_time()
        run(handle)
        found[0] = max(found[0], time.thread_time() - began)

    monkeypatch.setattr(asyncio.Handle, "_run", measured)
    gc.freeze()  # as an ingress does: to look through all of pytest would take longest
    yield found
    gc.unfreeze()


@pytest.mark.parametrize("sent", CASES.values(), ids=CASES)
async def test_no_request_keeps_the_loop_from_others_for_long(longest_s, sent):
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        shared = Connections(most=100, keep_alive_s=60, refused=lambda *_given: None)
        server = Server(load(GL_SECRET="right"), protocol(shared))
        await server.connect([post()])
        await asyncio.sleep(0)
        longest_s[0] = 0.0
        await server.connect([sent[at : at + READ_BYTES] for at in range(0, len(sent), READ_BYTES)])
        await asyncio.sleep(0)
    finally:
        logging.disable(logging.NOTSET)
    assert longest_s[0] > 0
    assert is_short(longest_s[0])


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE)
def test_a_large_body_is_looked_through_in_the_time_of_a_small_one(body):
    """It happens in a thread, but msgspec holds the interpreter's lock."""
    began = time.thread_time()
    outline(body)
    assert is_short(time.thread_time() - began, times=2)
