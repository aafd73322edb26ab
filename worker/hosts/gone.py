"""How an attempt in a host ends without an outcome of the handler's own."""

from __future__ import annotations

from hookyard.ledger.records import Outcome


class HostGone(Exception):
    """The host ended before it had done what it was asked to.

    ``outcome``: what that means for the attempt: crashed, timed out or interrupted. ``alone``: it may
    have been this attempt that ended the host, so it must run alone from now on.
    """

    def __init__(self, text: str, *, outcome: Outcome = Outcome.INTERRUPTED, alone: bool = False) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.alone = alone


class LateStart(Exception):
    """The handler was not started: its lease had too little time left by then."""
