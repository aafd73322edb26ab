"""Log lines of refusals: each one while there are few, their number while there are many.

Anyone can cause refusals, and must not push everything else out of a log of limited size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from ingress.refusal import Refusal

PER_PERIOD: Final = 20
PERIOD_S: Final = 10.0


class RefusalLog:
    """Writes at most ``PER_PERIOD`` lines in ``PERIOD_S``, the next of which says how many it left out."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._began_s = -PERIOD_S
        self._written = 0
        self._left_out = 0

    def note(self, refusal: Refusal, *, now_s: float) -> None:
        """Log *refusal*, or count it.

        :param now_s: of a clock that does not go back.
        """
        if now_s - self._began_s >= PERIOD_S:
            self._began_s, self._written = now_s, 0
        if self._written >= PER_PERIOD:
            self._left_out += 1
            return
        self._written += 1
        left_out, self._left_out = self._left_out, 0
        further = {"left_out": left_out} if left_out else {}
        self._log.warning(
            "request refused",
            status=refusal.status,
            reason=refusal.reason,
            detail=refusal.detail,
            **further,
        )
