"""Reading a request's body: whole, within its size limit, its time limit and the memory budget."""

from __future__ import annotations

import asyncio
import contextlib
import types
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from starlette.types import Message, Receive

    from ingress.memory_budget import MemoryBudget, Reservation

Returned = TypeVar("Returned")

BODY_TIMEOUT_S: Final = 30.0
"""GitLab itself gives up after 10 s (``webhook_timeout``)."""

DISCARD_S: Final = 2.0
"""Time limit for reading on after a refusal, so that the refusal reaches the sender."""

RESERVE_AHEAD: Final = 16
"""Up to this multiple of what has arrived is reserved, within what the Content-Length announces."""


class BodyTooLarge(Exception):
    """The body exceeds the size limit; the rest of it was not read."""


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class Disconnected(Exception):
    """The client disconnected before its body was complete."""


async def read_body(
    receive: Receive,
    *,
    content_length: bytes | None,
    max_bytes: int,
    budget: MemoryBudget,
    timeout_s: float = BODY_TIMEOUT_S,
) -> tuple[bytes, Reservation]:
    """Return the body and the reservation of its memory, which the caller releases.

    Memory is reserved somewhat ahead of what arrives, so that some of many large bodies get through
    instead of all of them getting stuck half-way; but not for what is only announced, or a few idle
    connections could use up the budget.

    :param content_length: the header; one that announces too much is refused before anything is read.
    :raises BodyTooLarge, BodyTooSlow, Disconnected, OverBudget: instead; nothing is held then.
    """
    announced = int(content_length[:20]) if content_length is not None and content_length.isdigit() else 0
    if announced > max_bytes:
        raise BodyTooLarge
    reservation = budget.reserve(announced=announced)
    try:
        body = await _within(timeout_s, _read(receive, announced, max_bytes, reservation))
    except TimeoutError:
        reservation.release()
        raise BodyTooSlow from None
    except BaseException:
        reservation.release()
        raise
    return body, reservation


async def _read(receive: Receive, announced: int, max_bytes: int, reservation: Reservation) -> bytes:
    body, more = _chunk(await receive())  # usually all of it: GitLab's bodies fit into one read
    if more:
        parts = bytearray(body)
        while more and len(parts) <= max_bytes:
            reservation.grow_to(max(len(parts), min(announced, RESERVE_AHEAD * len(parts))))
            chunk, more = _chunk(await receive())
            parts += chunk
        body = bytes(parts)
    if len(body) > max_bytes:
        raise BodyTooLarge
    reservation.grow_to(len(body))
    return body


async def _within(timeout_s: float, coroutine: Coroutine[Any, Any, Returned]) -> Returned:
    """Await *coroutine* with a time limit whose timer starts only if there is anything to wait for.

    Most bodies have arrived by the time they are asked for, and a timer costs more than parsing one.

    :raises TimeoutError: when it takes longer.
    """
    steps = coroutine.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as finished:
        returned: Returned = finished.value
        return returned
    async with asyncio.timeout(timeout_s):
        return await _resumed(steps, waits_for)


@types.coroutine
def _resumed(
    steps: Generator[Any, Any, Returned], waits_for: asyncio.Future[Any]
) -> Generator[Any, Any, Returned]:
    """Go on with a coroutine that waits for *waits_for*."""
    try:
        yield waits_for
    except BaseException as exc:  # the task is cancelled: the coroutine must know, too
        steps.throw(exc)
        raise
    return (yield from steps)


async def discard_rest(receive: Receive, *, timeout_s: float = DISCARD_S) -> None:
    """Read what is left of a body and drop it, until it ends, the client disconnects, or time is up.

    A connection that is closed with bytes unread is reset, and a reset can overtake the answer: the
    client then sees a broken connection instead of the reason for the refusal (RFC 9112, 9.6).
    """
    with contextlib.suppress(TimeoutError, Disconnected):
        async with asyncio.timeout(timeout_s):
            more = True
            while more:
                _, more = _chunk(await receive())


def _chunk(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)
