"""What a handler raises to say what is to come next."""

from __future__ import annotations

_KEY_LIMIT = 200


class GiveUp(Exception):
    """Raised by a handler that knows no retry can help: it is not run again, the delivery ends ``failed``.

    The text is kept and shown to operators.
    """


class RetryAfter(Exception):
    """Raised by a handler that wants its next attempt after *seconds*, whatever the backoff would be.

    It counts as one of the handler's attempts.

    :param seconds: at least 0; fractions are allowed.
    :raises ValueError: when *seconds* is negative or not finite.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        if not 0 <= seconds < float("inf"):
            message = f"RetryAfter takes a number of seconds from 0 up, not {seconds!r}"
            raise ValueError(message)
        self.seconds = float(seconds)
        super().__init__(reason or f"asked to be run again after {seconds:g} s")


class Wait(Exception):
    """Raised by a handler that waits for something: it is run again later, which is no failure.

    No attempt is spent, and the delivery's state is ``waiting`` meanwhile.

    :param seconds: after which it is run again; at least 0.
    :param reason: what for, for operators.
    :param wake_on: run it as soon as a delivery comes that has this key in any handler, or is about this
        object (``group/app!12``).
    :raises ValueError: when *seconds* is negative or not finite, or *wake_on* is longer than 200 characters.
    """

    def __init__(self, seconds: float, reason: str = "", *, wake_on: str | None = None) -> None:
        if not 0 <= seconds < float("inf") or len(wake_on or "") > _KEY_LIMIT:
            message = f"Wait takes seconds from 0 up and a key of {_KEY_LIMIT} characters at most"
            raise ValueError(message)
        self.seconds = float(seconds)
        self.wake_on = wake_on
        super().__init__(reason or f"asked to be run again after {seconds:g} s")
