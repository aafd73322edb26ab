"""How a delivery ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.hooks import sending
from gitlab_emulator.hooks.sending import Answered, Broken, Refused, TimedOut, Unsendable, open_client, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
    Listen = Callable[[Conversation], Awaitable[str]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Starts a server that speaks to each connection as told; gives its URL."""
    async with AsyncExitStack() as servers:

        async def start(conversation: Conversation) -> str:
            writers: list[asyncio.StreamWriter] = []
            talks: list[asyncio.Task[None]] = []

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writers.append(writer)
                talks.append(asyncio.ensure_future(conversation(reader, writer)))

            async def hang_up() -> None:
                for talk in talks:
                    talk.cancel()
                await asyncio.gather(*talks, return_exceptions=True)
                for writer in writers:
                    writer.transport.abort()
                    with suppress(OSError):
                        await writer.wait_closed()

            server = await asyncio.start_server(connected, "127.0.0.1", 0)
            servers.push_async_callback(hang_up)
            servers.callback(server.close)
            return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

        yield start


def answering(*answers: str, seen: list[bytes] | None = None) -> Conversation:
    """One connection after the other is read and gets the next of these answers."""
    left = list(answers)

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        writer.write(left.pop(0).encode())
        writer.close()

    return conversation


async def test_an_answer_is_an_answer_whatever_it_says(listen: Listen) -> None:
    """But only 2xx counts as taken."""
    url = await listen(answering("HTTP/1.1 202 Accepted\r\n\r\n", "HTTP/1.1 500 Oops\r\n\r\n"))
    async with open_client() as client:
        taken, failed = [await post(client, url, {}, b"{}") for _ in range(2)]
    assert (taken.ending, taken.ok) == (Answered(status=202), True)
    assert (failed.ending, failed.ok) == (Answered(status=500), False)


async def test_the_request_looks_like_gitlabs(listen: Listen) -> None:
    """A new connection each time, its encodings, the headers in the case they were given."""
    seen: list[bytes] = []
    url = await listen(answering("HTTP/1.1 200 OK\r\n\r\n", seen=seen))
    async with open_client() as client:
        await post(client, url, {"X-Gitlab-Token": "gehéim", "User-Agent": "GitLab/19.1.0"}, b"{}")
    start, *lines = seen[0].split(b"\r\n")
    assert start == b"POST / HTTP/1.1"
    assert {
        *(b"Connection: close", b"Accept: */*", b"Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
        *("X-Gitlab-Token: gehéim".encode(), b"User-Agent: GitLab/19.1.0"),
    } <= set(lines)


@pytest.mark.parametrize(("status", "method"), [(301, b"GET"), (303, b"GET"), (307, b"POST"), (308, b"POST")])
async def test_redirects_are_followed_as_gitlab_follows_them(
    listen: Listen, status: int, method: bytes
) -> None:
    """The older kinds lose the method and the body."""
    seen: list[bytes] = []
    redirect = f"HTTP/1.1 {status} Moved\r\nLocation: /there\r\n\r\n"
    url = await listen(answering(redirect, "HTTP/1.1 200 OK\r\n\r\n", seen=seen))
    async with open_client() as client:
        sent = await post(client, url, {}, b"{}")
    assert sent.ok
    assert seen[1].startswith(method + b" /there ")


async def test_a_circle_of_redirects_ends(listen: Listen) -> None:
    """After five."""
    url = await listen(answering(*["HTTP/1.1 307 Moved\r\nLocation: /\r\n\r\n"] * 9))
    async with open_client() as client:
        assert (await post(client, url, {}, b"{}")).ending == Broken(why="more than 5 redirects")


async def test_a_slow_answer_counts_as_none(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that keeps dripping: the limit is on the whole."""
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.2)

    async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await asyncio.sleep(0.01)

    url = await listen(dripping)
    async with open_client() as client:
        assert (await post(client, url, {}, b"{}")).ending == TimedOut()


async def test_a_connection_that_breaks_is_told_from_one_that_is_refused(listen: Listen) -> None:
    """Because something else has to be done about it."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    url = await listen(hang_up)
    async with open_client() as client:
        assert isinstance((await post(client, url, {}, b"{}")).ending, Broken)


async def test_nobody_listening_is_a_refusal(unused_tcp_port: int) -> None:
    """The commonest mistake gets its own ending."""
    async with open_client() as client:
        assert (await post(client, f"http://127.0.0.1:{unused_tcp_port}/", {}, b"{}")).ending == Refused()


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("localhost:8000", {}),
        ("ftp://127.0.0.1/", {}),
        ("http://", {}),
        ("http://127.0.0.1:99999/", {}),
        ("http://127.0.0.1:9/", {"X-Gitlab-Token": "hu\x00nter2"}),
    ],
)
async def test_what_cannot_be_sent_is_said_without_the_value(url: str, headers: dict[str, str]) -> None:
    """A secret with a control character in it stays secret."""
    async with open_client() as client:
        ending = (await post(client, url, headers, b"{}")).ending
    assert isinstance(ending, Unsendable)
    assert "nter2" not in ending.why
