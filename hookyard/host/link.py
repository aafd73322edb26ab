"""One end of the connection between a supervisor and a host."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from hookyard.host.messages import FrameReader, frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class Link(Protocol):
    """What either side needs of the other: messages go out in order, and come to ``receive``."""

    def send(self, message: Any) -> None:
        """Send one message; what is sent in one turn of the loop travels together."""

    def close(self) -> None:
        """Send what waits, then close."""


class SocketLink(asyncio.Protocol):
    """A link over a stream socket.

    :param read: decodes a payload into messages.
    :param receive: gets each message.
    :param closed: called once, when the other side is gone or this one has closed.
    """

    def __init__(
        self,
        read: Callable[[memoryview], list[Any]],
        *,
        receive: Callable[[Any], None],
        closed: Callable[[], None],
    ) -> None:
        self._read = read
        self._receive = receive
        self._closed = closed
        self._frames = FrameReader()
        self._waiting: list[Any] = []
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # what a stream socket gives

    def data_received(self, data: bytes) -> None:
        """Hand over each message that *data* completes."""
        for payload in self._frames.feed(data):
            for message in self._read(payload):
                self._receive(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Say so, once."""
        self._transport = None
        self._closed()

    def send(self, message: Any) -> None:
        """Send one message; what is sent in one turn of the loop travels together."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(message)

    def close(self) -> None:
        """Send what waits, then close."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and self._transport is not None:
            self._transport.write(frame(waiting))


class LocalLink:
    """A link between a supervisor and a host in one process and one event loop: nothing is packed."""

    def __init__(self) -> None:
        self.receive: Callable[[Any], None] = lambda _message: None
        self.other: LocalLink
        self._loop = asyncio.get_running_loop()

    @classmethod
    def pair(cls) -> tuple[LocalLink, LocalLink]:
        """Return the two ends."""
        one, other = cls(), cls()
        one.other, other.other = other, one
        return one, other

    def send(self, message: Any) -> None:
        """Have the other side receive *message* in a coming turn of the loop."""
        self._loop.call_soon(self.other.receive, message)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


async def connect(
    sock: socket.socket,
    read: Callable[[memoryview], list[Any]],
    *,
    receive: Callable[[Any], None],
    closed: Callable[[], None],
) -> SocketLink:
    """Return a link over *sock*, which belongs to it from now on."""
    sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(
        lambda: SocketLink(read, receive=receive, closed=closed), sock=sock
    )
    return link
