"""How a request's body is read: whole, but never more of it than the limit, nor for ever.

What all requests together hold in memory is bounded as well: a Redis that hangs while large bodies
keep coming must cost answers of 503, not the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Self

    from starlette.types import Message, Receive

    from ingress.deadline import Patience

PATIENCE_S: Final = 30.0
"""GitLab itself gives up after 10 s (``webhook_timeout``)."""

LET_GO_S: Final = 2.0
"""How long what is left of a refused body is read on, so that the refusal reaches who sends it."""

REQUEST_BYTES: Final = 8 * 1024
"""What a request counts for beside its body."""

AHEAD: Final = 16
"""Room is taken for so many times what has arrived of a body, up to what its Content-Length says."""


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
    """What one request holds of the whole; at the end of the ``with`` block it is free again."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self.held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def release(self) -> None:
        """Hold nothing any more."""
        self._holding.held_bytes -= self.held_bytes
        self.held_bytes = 0

    def take(self, count: int) -> None:
        """Hold *count* bytes more.

        :raises TooBusy: when that is too much, all requests together.
        """
        self.look_for(count)
        self._holding.held_bytes += count
        self.held_bytes += count

    def grow_to(self, total: int) -> None:
        """Hold *total* bytes, if it is more than now.

        :raises TooBusy: when that is too much, all requests together.
        """
        if total > self.held_bytes:
            self.take(total - self.held_bytes)

    def look_for(self, count: int) -> None:
        """Return when there is room for *count* bytes more just now.

        :raises TooBusy: otherwise.
        """
        if self._holding.held_bytes + count > self._holding.max_bytes + REQUEST_BYTES:
            raise TooBusy


class Holding:
    """How many bytes the requests under way hold, and may hold."""

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    def room(self) -> Room:
        """Return the room of one request."""
        return Room(self)


async def read_body(
    content_length: bytes | None, receive: Receive, *, limit: int, room: Room, patience: Patience
) -> bytes:
    """Return the body.

    :param content_length: the header. What says too much is turned away before anything is read. Room is
        taken somewhat ahead of what arrives, so that of many large bodies some get through, and not all
        a part of the way; but not for what is only said, or a few idle connections could shut the door.
    :param limit: bytes.
    :raises TooLarge, TooSlow, TooBusy, Disconnected: instead.
    """
    said = said_length(content_length) or 0
    if said > limit:
        raise TooLarge
    room.take(REQUEST_BYTES)
    room.look_for(said)
    try:
        with patience:
            return await _read(receive, said=said, limit=limit, room=room)
    except TimeoutError:
        raise TooSlow from None


def said_length(content_length: bytes | None) -> int | None:
    """Return the bytes that the header says will come, ``None`` where it says nothing that can be read."""
    return int(content_length[:20]) if content_length is not None and content_length.isdigit() else None


async def let_go(receive: Receive, *, patience_s: float = LET_GO_S) -> None:
    """Read what is left of a body and drop it, until it ends, the client goes away, or time is over.

    A connection that is closed with bytes unread is reset, and a reset can overtake the answer: the
    client then sees a broken connection instead of why it was refused (RFC 9112, 9.6).
    """
    with contextlib.suppress(TimeoutError, Disconnected):
        async with asyncio.timeout(patience_s):
            more = True
            while more:
                _, more = _chunk(await receive())


async def _read(receive: Receive, *, said: int, limit: int, room: Room) -> bytes:
    body, more = _chunk(await receive())  # nearly always all of it: GitLab's bodies fit into one read
    if more:
        parts = bytearray(body)
        while more and len(parts) <= limit:
            room.grow_to(REQUEST_BYTES + max(len(parts), min(said, AHEAD * len(parts))))
            chunk, more = _chunk(await receive())
            parts += chunk
        body = bytes(parts)
    if len(body) > limit:
        raise TooLarge
    room.grow_to(REQUEST_BYTES + len(body))
    return body


def _chunk(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)
