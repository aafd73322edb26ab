"""A receiver of webhooks on a real socket, that answers as it is told to."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIGNING_TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@dataclass(frozen=True)
class Received:
    """One request: method and path, headers by lower-case name, the body's bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    def is_signed(self) -> bool:
        """Verified by a library that is not ours; it also wants the time to be now."""
        Webhook(SIGNING_TOKEN).verify(self.body, self.headers)
        return True


@dataclass
class Receiver:
    """Answers with `status` and `text` until told otherwise; keeps what came."""

    url: str = ""
    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hold: asyncio.Event | None = None
    received: list[Received] = field(default_factory=list)
    open_now: int = 0
    open_at_most: int = 0

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        named = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(named.get("content-length", "0")))
        method, path, _ = start.split(" ")
        self.received.append(Received(method, path, named, body))
        self.open_now += 1
        self.open_at_most = max(self.open_at_most, self.open_now)
        if self.hold is not None:
            await self.hold.wait()
        self.open_now -= 1
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        answer = (
            f"HTTP/1.1 {self.status} Whatever\r\n{extra}Content-Length: {len(self.text.encode())}\r\n\r\n"
        )
        writer.write(answer.encode() + self.text.encode())
        await writer.drain()
        writer.write_eof()
        await reader.read()  # until the sender has hung up: then it has all of the answer


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens inside the block."""
    one = Receiver()
    talks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(one.speak(reader, writer))
        talks.add(talk)
        talk.add_done_callback(talks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield one
    server.close()
    for talk in list(talks):
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
