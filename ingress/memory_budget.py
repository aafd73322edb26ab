"""The memory budget of all requests in progress.

A Redis that hangs while large bodies keep coming must cost answers of 503, not the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Self

REQUEST_BYTES: Final = 8 * 1024
"""The charge for a request besides its body."""


class OverBudget(Exception):
    """The requests in progress hold as much as they may."""


class MemoryBudget:
    """The bytes that all requests in progress hold, and may hold besides the charge for one of them."""

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    def reserve(self, *, announced: int) -> Reservation:
        """Return the reservation of a new request, which holds nothing yet for its body.

        :param announced: the size of the body, where known: a body that cannot fit now is not read at all.
        :raises OverBudget: when it does not fit.
        """
        if self.held_bytes + announced > self.max_bytes:
            raise OverBudget
        self.held_bytes += REQUEST_BYTES
        return Reservation(self)


class Reservation:
    """The share of one request; a context manager that releases it at its end."""

    __slots__ = ("_budget", "held_bytes")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.held_bytes = REQUEST_BYTES

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
            budget = self._budget
            if budget.held_bytes + further > budget.max_bytes + REQUEST_BYTES:
                raise OverBudget
            budget.held_bytes += further
            self.held_bytes += further

    def release(self) -> None:
        """Give back what is held."""
        self._budget.held_bytes -= self.held_bytes
        self.held_bytes = 0
