"""The memory budget of all requests in progress.

A Redis that hangs while large bodies keep coming must cost answers of 503, not the process; and no
stranger's bodies may keep out GitLab's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

REQUEST_BYTES: Final = 8 * 1024
"""The charge for a request besides its body."""

SMALL_BYTES: Final = 64 * 1024
"""Nearly all of GitLab's bodies are smaller. An eighth of the budget is for such alone."""

_SHARE_OF_LARGE: Final = 7 / 8


class OverBudget(Exception):
    """The requests in progress hold as much as they may."""


class MemoryBudget:
    """The bytes that all requests in progress hold, and may hold besides the charge for one of them.

    What is held is what has arrived: an announcement holds nothing.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._strangers: dict[Reservation, None] = {}  # the oldest first

    def reserve(self, *, announced: int = 0, give_up: Callable[[], None] | None = None) -> Reservation:
        """Return the reservation of a new request, which holds nothing yet for its body.

        :param announced: the size of the body, where known: a body that cannot fit now is not read at all.
        :param give_up: for a sender that is not authenticated before its body is read: stops that reading.
            It is called when a small body needs the room.
        :raises OverBudget: when it does not fit.
        """
        reservation = Reservation(self)
        if give_up is not None:
            reservation.give_up = give_up
            self._strangers[reservation] = None
        try:
            if announced > SMALL_BYTES and self.held_bytes + announced > self._limit(announced):
                raise OverBudget
            self.take(reservation, REQUEST_BYTES, body_bytes=0)
        except OverBudget:
            reservation.release()
            raise
        return reservation

    def take(self, reservation: Reservation, further: int, *, body_bytes: int) -> None:
        """Add *further* bytes to what *reservation* holds, for a body of *body_bytes* so far.

        :raises OverBudget: when they do not fit.
        """
        limit = self._limit(body_bytes) + REQUEST_BYTES
        while self.held_bytes + further > limit:
            oldest = next((each for each in self._strangers if each is not reservation), None)
            if body_bytes > SMALL_BYTES or oldest is None:
                raise OverBudget
            oldest.give_up()
            oldest.release()
        self.held_bytes += further
        reservation.held_bytes += further

    def forget_stranger(self, reservation: Reservation) -> None:
        """Note that its body has arrived, or that it is over."""
        self._strangers.pop(reservation, None)

    def _limit(self, body_bytes: int) -> int:
        return self.max_bytes if body_bytes <= SMALL_BYTES else int(self.max_bytes * _SHARE_OF_LARGE)


class Reservation:
    """The share of one request; a context manager that releases it at its end."""

    __slots__ = ("_budget", "give_up", "held_bytes")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.held_bytes = 0
        self.give_up: Callable[[], None] = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def grow_to(self, body_bytes: int) -> None:
        """Hold *body_bytes* for the body, unless that much is held already.

        :raises OverBudget: when they do not fit.
        """
        further = REQUEST_BYTES + body_bytes - self.held_bytes
        if further > 0:
            self._budget.take(self, further, body_bytes=body_bytes)

    def arrived(self) -> None:
        """Note that all of the body is here: no other takes its room any more."""
        self._budget.forget_stranger(self)

    def release(self) -> None:
        """Give back what is held."""
        self._budget.forget_stranger(self)
        self._budget.held_bytes -= self.held_bytes
        self.held_bytes = 0


def _nothing() -> None:
    """Do nothing."""
