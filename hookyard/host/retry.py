"""Whether a handler that failed is run again, and when.

Rule: pure. The chance in the jitter, the time and the settings come in as arguments.

The rules, in order: ``GiveUp`` ends it; no attempts left ends it; a time that the handler
(``RetryAfter``) or GitLab (``Retry-After``, ``RateLimit-Reset``) names is kept to; a 4xx that
asking again cannot mend ends it; everything else waits an exponential backoff with full jitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gidgetlab.exceptions import RateLimitExceeded

from hookyard import GiveUp, RetryAfter

if TYPE_CHECKING:
    from hookyard import Policy

BACKOFF_FACTOR: Final = 3

LONGEST_NAMED_S: Final = 86_400.0
"""A nonsensical Retry-After must not park a delivery for years."""

MENDABLE_4XX: Final = frozenset({408, 409, 421, 423, 425, 429})
"""Timeouts, conflicts, locks and rate limits pass; the other 4xx say the same each time."""


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
    """What the settings allow, where a handler's own policy does not say otherwise. Seconds."""

    max_attempts: int
    backoff_s: float
    max_backoff_s: float


def decide(
    error: BaseException, *, attempt: int, policy: Policy, limits: Limits, jitter: float, now_s: float
) -> Again | Stop:
    """Return what follows from *error* in a handler's run number *attempt* (from 1) of this round.

    :param jitter: from 0 up to 1, by chance; the share of the backoff that is waited.
    """
    if isinstance(error, GiveUp):
        return Stop(because="the handler gave up")
    max_attempts = limits.max_attempts if policy.max_attempts is None else policy.max_attempts
    if attempt >= max_attempts:
        return Stop(because=f"no attempts left after {attempt}")
    named_s = _named_delay_s(error, now_s)
    if named_s is not None:
        return Again(delay_s=min(named_s, LONGEST_NAMED_S))
    status = _status(error)
    if status is not None and 400 <= status < 500 and status not in MENDABLE_4XX:  # noqa: PLR2004 - HTTP
        return Stop(because=f"an answer of {status} is not mended by asking again")
    first_s = limits.backoff_s if policy.backoff_s is None else policy.backoff_s
    return Again(delay_s=jitter * backoff_s(attempt, first_s=first_s, max_s=limits.max_backoff_s))


def backoff_s(attempt: int, *, first_s: float, max_s: float) -> float:
    """Return the longest wait after run number *attempt*: *first_s* times 3 each run, at most *max_s*."""
    # the exponent is bounded, as a float would overflow long before max_s is forgotten
    return float(min(max_s, first_s * BACKOFF_FACTOR ** min(attempt - 1, 60)))


def _named_delay_s(error: BaseException, now_s: float) -> float | None:
    """Return the wait that the handler or GitLab asked for, in seconds."""
    if isinstance(error, RetryAfter):
        return error.seconds
    named = getattr(error, "retry_after_s", None)  # hookyard.gitlab.client puts GitLab's Retry-After here
    if isinstance(named, (int, float)):
        return max(0.0, float(named))
    if isinstance(error, RateLimitExceeded):
        reset = getattr(error.rate_limit, "reset_datetime", None)
        if reset is not None:
            return max(0.0, float(reset.timestamp()) - now_s)
    return None


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of gidgetlab's or httpx's, if it is one."""
    found = getattr(error, "status_code", None)  # gidgetlab's HTTPException and BadGraphQLRequest
    if found is None or not isinstance(error, Exception):
        found = getattr(getattr(error, "response", None), "status_code", None)  # httpx.HTTPStatusError
    return int(found) if isinstance(found, int) else None
