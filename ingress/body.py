"""Reading a request's body: whole, within its size limit, its time limits and the memory budget."""

from __future__ import annotations

import asyncio
import contextlib
import types
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ingress.memory_budget import OverBudget

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from starlette.types import Message, Receive

    from ingress.memory_budget import MemoryBudget, Reservation

Returned = TypeVar("Returned")

BODY_TIMEOUT_S: Final = 30.0
"""GitLab itself gives up after 10 s (``webhook_timeout``)."""

STALL_TIMEOUT_S: Final = 5.0
"""A body of which nothing arrives for this long is given up."""

DISCARD_S: Final = 2.0
"""Time limit for reading on after a refusal, so that the refusal reaches the sender."""


class BodyTooLarge(Exception):
    """The body exceeds the size limit; the rest of it was not read."""


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class Disconnected(Exception):
    """The client disconnected before its body was complete."""


async def read_body(
    receive: Receive,
    *,
    announced: int,
    max_bytes: int,
    budget: MemoryBudget,
    is_stranger: bool,
    timeout_s: float = BODY_TIMEOUT_S,
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> tuple[bytes, Reservation]:
    """Return the body and the reservation of its memory, which the caller releases.

    :param announced: the size of the body; 0 where it is not known.
    :param is_stranger: whether the sender is not authenticated before the body is here; then the reading
        ends where another's small body needs the room.
    :raises BodyTooLarge, BodyTooSlow, Disconnected, OverBudget: instead; nothing is held then.
    """
    reading = _Reading(timeout_s, stall_timeout_s)
    reservation = budget.reserve(announced=announced, give_up=reading.give_up if is_stranger else None)
    try:
        body = await reading.within(_read(receive, max_bytes, reservation, reading))
    except TimeoutError:
        reservation.release()
        raise (OverBudget if reading.is_given_up else BodyTooSlow) from None
    except BaseException:
        reservation.release()
        raise
    reservation.arrived()
    return body, reservation


async def _read(receive: Receive, max_bytes: int, reservation: Reservation, reading: _Reading) -> bytes:
    body, more = _chunk(await receive())  # usually all of it: GitLab's bodies fit into one read
    if more:
        parts = bytearray(body)
        while more and len(parts) <= max_bytes:
            reservation.grow_to(len(parts))
            chunk, more = _chunk(await receive())
            reading.went_on()
            parts += chunk
        body = bytes(parts)
    if len(body) > max_bytes:
        raise BodyTooLarge
    reservation.grow_to(len(body))
    return body


class _Reading:
    """The time limits of one body.

    Most bodies have arrived by the time they are asked for, and a timer costs more than parsing one: it
    starts only if there is anything to wait for.
    """

    def __init__(self, timeout_s: float, stall_timeout_s: float) -> None:
        self.is_given_up = False
        self._timeout_s = timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._ends = 0.0
        self._timer: asyncio.Timeout | None = None

    async def within(self, coroutine: Coroutine[Any, Any, Returned]) -> Returned:
        """Await *coroutine*.

        :raises TimeoutError: when it takes too long, or was given up.
        """
        steps = coroutine.__await__()
        try:
            waits_for = next(steps)
        except StopIteration as finished:
            returned: Returned = finished.value
            return returned
        now = asyncio.get_running_loop().time()
        self._ends = now + self._timeout_s
        async with asyncio.timeout_at(min(self._ends, now + self._stall_timeout_s)) as self._timer:
            return await _resumed(steps, waits_for)

    def went_on(self) -> None:
        """Note that something has arrived."""
        if self._timer is not None and not self.is_given_up:
            now = asyncio.get_running_loop().time()
            self._timer.reschedule(min(self._ends, now + self._stall_timeout_s))

    def give_up(self) -> None:
        """End it now."""
        self.is_given_up = True
        if self._timer is not None:
            self._timer.reschedule(0.0)


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
