"""How a request's body is read: whole, but never more of it than the limit, nor for ever.

What all requests together hold in memory is bounded as well: a Redis that hangs while large bodies
keep coming must cost answers of 503, not the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive

PATIENCE_S: Final = 30.0
"""GitLab itself gives up after 10 s (``webhook_timeout``)."""

REQUEST_BYTES: Final = 8 * 1024
"""What a request counts for beside its body."""


class NotRead(Exception):
    """There is no whole body; what came in the way."""


class TooLarge(NotRead):
    """The body is over the limit; no more of it was read than told so."""


class TooSlow(NotRead):
    """The body did not arrive in time."""


class TooBusy(NotRead):
    """The requests that are under way hold as much as they may."""


class Disconnected(NotRead):
    """The client went away before its body was whole."""


class Room:
    """What one request holds of the whole."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self.held_bytes = 0

    def take(self, count: int) -> None:
        """Hold *count* bytes more.

        :raises TooBusy: when that is too much, all requests together.
        """
        if self._holding.held_bytes + count > self._holding.max_bytes + REQUEST_BYTES:
            raise TooBusy
        self._holding.held_bytes += count
        self.held_bytes += count


class Holding:
    """How many bytes the requests under way hold, and may hold."""

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    @contextlib.contextmanager
    def room(self) -> Iterator[Room]:
        """Give the room of one request; what it holds is free again at the end."""
        room = Room(self)
        try:
            yield room
        finally:
            self.held_bytes -= room.held_bytes


async def read_body(content_length: bytes | None, receive: Receive, *, limit: int, room: Room) -> bytes:
    """Return the body.

    :param content_length: the header; room is taken for what it says before anything is read.
    :param limit: bytes.
    :raises TooLarge, TooSlow, TooBusy, Disconnected: instead.
    """
    said = int(content_length[:20]) if content_length is not None and content_length.isdigit() else 0
    if said > limit:
        raise TooLarge
    room.take(REQUEST_BYTES + said)
    first, more = _chunk(await receive())
    if not more:  # nearly always: GitLab's bodies fit into one read
        if len(first) > limit:
            raise TooLarge
        return first
    body = bytearray(first)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while more:
                if len(body) > limit:
                    raise TooLarge
                chunk, more = _chunk(await receive())
                body += chunk
                if len(body) + REQUEST_BYTES > room.held_bytes:  # no Content-Length, or a wrong one
                    room.take(len(chunk))
    except TimeoutError:
        raise TooSlow from None
    if len(body) > limit:
        raise TooLarge
    return bytes(body)


def _chunk(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)
