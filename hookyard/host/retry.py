"""Decide whether a handler that failed is run again, and when.

Rule: pure. The chance in the jitter, the time and the settings come in as arguments.

The rules, in order: ``GiveUp`` ends it; no attempts left ends it; a time that the handler
(``RetryAfter``) or GitLab (``Retry-After``, ``RateLimit-Reset``) names is kept to; a 4xx that asking
again cannot change ends it; everything else waits an exponential backoff with full jitter. In an
exception group the rules apply to what it holds: one that ends it is enough, and the longest of the
named times counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gidgetlab.exceptions import RateLimitExceeded

from hookyard import GiveUp, RetryAfter, Wait
from hookyard.host.failures import attribute, leaves, status_of

BACKOFF_FACTOR: Final = 3

LONGEST_NAMED_S: Final = 86_400.0
"""A nonsensical Retry-After of a server must not park a delivery for years; a handler's own is kept to."""

LONGEST_ASKED_S: Final = 36_500 * 86_400.0
"""A century, as the longest retention: a time beyond it could not be stored."""

PASSING_4XX: Final = frozenset({408, 409, 421, 423, 425, 429})
"""Timeouts, conflicts, locks and rate limits pass; the other 4xx are answered the same each time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """Run it again after ``delay_s``."""

    delay_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Do not run it again in this round; ``because`` is for operators."""

    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The attempts and waits of one handler: its policy, else the settings. Seconds."""

    max_attempts: int
    backoff_s: float
    max_backoff_s: float
    retry_on: tuple[type[BaseException], ...] | None = None
    give_up_on: tuple[type[BaseException], ...] = ()


def decide(
    error: BaseException, *, attempt: int, limits: Limits, jitter: float, now_s: float
) -> Again | Stop:
    """Return what follows from *error* in a handler's attempt number *attempt* (from 1) of this round.

    :param jitter: from 0 up to 1, by chance; the share of the backoff that is waited.
    """
    errors = list(leaves(error))
    if because := _given_up(errors, limits):
        return Stop(because=because)
    if attempt >= limits.max_attempts:
        return Stop(because=f"no attempts left after {attempt}")
    least_s = float(2 ** min(attempt - 1, 10))  # GitLab names a wait of 0, too
    named = [wait_s for each in errors if (wait_s := _named_delay_s(each, now_s, least_s)) is not None]
    if named:
        return Again(delay_s=max(named))
    for each in errors:
        status = status_of(each)
        if status is not None and 400 <= status < 500 and status not in PASSING_4XX:  # noqa: PLR2004 - HTTP
            return Stop(because=f"an answer of {status} is the same each time")
    return again_after(attempt, limits=limits, jitter=jitter)


def waits_of(error: BaseException) -> list[Wait]:
    """Return the waits that a handler asked for, where it raised nothing else."""
    errors = list(leaves(error))
    waits = [each for each in errors if isinstance(each, Wait)]
    return waits if len(waits) == len(errors) else []


def _given_up(errors: list[BaseException], limits: Limits) -> str | None:
    """Return why the handler itself, or its policy, wants no further attempt."""
    if any(isinstance(each, GiveUp) for each in errors):
        return "the handler gave up"
    for each in errors:
        if isinstance(each, limits.give_up_on):
            return f"its policy gives up on {type(each).__name__}"
    if limits.retry_on is None or any(isinstance(each, (*limits.retry_on, RetryAfter)) for each in errors):
        return None
    return f"its policy does not retry on {type(errors[0]).__name__}"


def again_after(attempt: int, *, limits: Limits, jitter: float) -> Again | Stop:
    """Return what follows when nothing is known but that attempt number *attempt* did not succeed."""
    if attempt >= limits.max_attempts:
        return Stop(because=f"no attempts left after {attempt}")
    return Again(delay_s=jitter * backoff_s(attempt, first_s=limits.backoff_s, max_s=limits.max_backoff_s))


def backoff_s(attempt: int, *, first_s: float, max_s: float) -> float:
    """Return the longest wait after attempt number *attempt*: *first_s* times 3 each, at most *max_s*."""
    # the exponent is bounded, as a float would overflow long before max_s is forgotten
    return float(min(max_s, first_s * BACKOFF_FACTOR ** min(attempt - 1, 60)))


def _named_delay_s(error: BaseException, now_s: float, least_s: float) -> float | None:
    """Return the wait that the handler asked for, or GitLab, which is at least *least_s*; seconds."""
    if isinstance(error, RetryAfter):
        return min(error.seconds, LONGEST_ASKED_S)
    named = attribute(error, "retry_after_s")  # hookyard.gitlab.client puts GitLab's Retry-After here
    if isinstance(named, (int, float)):
        return min(max(least_s, float(named)), LONGEST_NAMED_S)
    if isinstance(error, RateLimitExceeded):
        reset = getattr(error.rate_limit, "reset_datetime", None)
        if reset is not None:
            return min(max(least_s, float(reset.timestamp()) - now_s), LONGEST_NAMED_S)
    return None
