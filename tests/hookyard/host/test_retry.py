"""The retry decision, as one table."""

from __future__ import annotations

import dataclasses
import http
import urllib.error
from dataclasses import replace
from email.message import Message

import aiohttp
import httpx
import pytest
from gidgetlab.exceptions import BadRequest, GitLabBroken, InvalidField, RateLimitExceeded
from gidgetlab.sansio import RateLimit
from gitlab.exceptions import GitlabGetError

from hookyard import GiveUp, RetryAfter
from hookyard.gitlab.client import TooManyRequests, error_for
from hookyard.host.retry import Again, Limits, Stop, backoff_s, decide

LIMITS = Limits(max_attempts=8, backoff_s=5, max_backoff_s=10_800)
NOW_S = 1_000_000.0


def too_many(seconds):
    error = TooManyRequests(http.HTTPStatus.TOO_MANY_REQUESTS, "slow down")
    error.retry_after_s = seconds
    return error


def answered(status):
    request = httpx.Request("GET", "http://gitlab.test")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


def aiohttp_error(status):
    return aiohttp.ClientResponseError(None, (), status=status)


class OwnError(Exception):
    """A bot's own, whose code is no HTTP status."""

    def __init__(self, code):
        self.code = code


CASES = [
    ("an ordinary error waits the backoff", ValueError("x"), {}, Again(delay_s=5.0)),
    ("three times as long each run", ValueError("x"), {"attempt": 3}, Again(delay_s=45.0)),
    (
        "the last attempt is the last",
        ValueError("x"),
        {"attempt": 8},
        Stop(because="no attempts left after 8"),
    ),
    (
        "a handler's own number of attempts wins",
        ValueError("x"),
        {"limits": replace(LIMITS, max_attempts=1)},
        Stop(because="no attempts left after 1"),
    ),
    (
        "a handler's own backoff wins",
        ValueError("x"),
        {"limits": replace(LIMITS, backoff_s=0.5)},
        Again(delay_s=0.5),
    ),
    ("giving up is final", GiveUp("no"), {}, Stop(because="the handler gave up")),
    ("RetryAfter is kept to", RetryAfter(90), {}, Again(delay_s=90.0)),
    (
        "RetryAfter counts as an attempt",
        RetryAfter(90),
        {"attempt": 8},
        Stop(because="no attempts left after 8"),
    ),
    ("GitLab's Retry-After is kept to", too_many(120.0), {}, Again(delay_s=120.0)),
    (
        "a 429 that names no wait backs off",
        BadRequest(http.HTTPStatus.TOO_MANY_REQUESTS),
        {},
        Again(delay_s=5.0),
    ),
    (
        "a used-up rate limit waits for its reset",
        RateLimitExceeded(RateLimit(limit=1, remaining=0, reset_epoch=NOW_S + 30)),
        {},
        Again(delay_s=30.0),
    ),
    (
        "404 is final",
        BadRequest(http.HTTPStatus.NOT_FOUND),
        {},
        Stop(because="an answer of 404 is the same each time"),
    ),
    (
        "422 is final",
        InvalidField(None, "no"),
        {},
        Stop(because="an answer of 422 is the same each time"),
    ),
    ("a conflict may pass", BadRequest(http.HTTPStatus.CONFLICT), {}, Again(delay_s=5.0)),
    ("500 may pass", GitLabBroken(http.HTTPStatus.INTERNAL_SERVER_ERROR), {}, Again(delay_s=5.0)),
    ("a proxy's 520 may pass", error_for(520, {}, b"", now_s=NOW_S), {}, Again(delay_s=5.0)),
    (
        "httpx's own 403 is final",
        answered(403),
        {},
        Stop(because="an answer of 403 is the same each time"),
    ),
    (
        "python-gitlab's own 404 is final",
        GitlabGetError("no", 404),
        {},
        Stop(because="an answer of 404 is the same each time"),
    ),
    ("python-gitlab's own 502 may pass", GitlabGetError("no", 502), {}, Again(delay_s=5.0)),
    (
        "urllib's own 410 is final",
        urllib.error.HTTPError("http://x", 410, "no", Message(), None),
        {},
        Stop(because="an answer of 410 is the same each time"),
    ),
    (
        "aiohttp's own 400 is final",
        aiohttp_error(400),
        {},
        Stop(because="an answer of 400 is the same each time"),
    ),
    ("a bot's own error with a code says nothing", OwnError(404), {}, Again(delay_s=5.0)),
    (
        "giving up in a group is final",
        ExceptionGroup("x", [ValueError(), ExceptionGroup("y", [GiveUp("no")])]),
        {},
        Stop(because="the handler gave up"),
    ),
    (
        "the longest of the times in a group counts",
        ExceptionGroup("x", [RetryAfter(7), RetryAfter(90)]),
        {},
        Again(delay_s=90.0),
    ),
    (
        "404 in a group is final",
        ExceptionGroup("x", [answered(404)]),
        {},
        Stop(because="an answer of 404 is the same each time"),
    ),
    ("RetryAfter is kept to for a week", RetryAfter(604_800), {}, Again(delay_s=604_800.0)),
    ("httpx's own 503 may pass", answered(503), {}, Again(delay_s=5.0)),
    ("no connection may pass", httpx.ConnectError("refused"), {}, Again(delay_s=5.0)),
]


@pytest.mark.parametrize(
    ("error", "given", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_decision(error, given, expected):
    facts = {"attempt": 1, "limits": LIMITS, "jitter": 1.0, "now_s": NOW_S, **given}
    assert decide(error, **facts) == expected


def test_the_jitter_is_full():
    given = {"attempt": 2, "limits": LIMITS, "now_s": NOW_S}
    assert decide(ValueError(), jitter=0.0, **given) == Again(delay_s=0.0)
    assert decide(ValueError(), jitter=0.5, **given) == Again(delay_s=7.5)


def test_the_backoff_is_bounded_however_often_it_failed():
    assert backoff_s(8, first_s=5, max_s=10_800) == 10_800
    assert backoff_s(10_000, first_s=5, max_s=10_800) == 10_800


def test_a_time_that_gitlab_names_is_at_least_a_growing_second_and_at_most_a_day():
    given = {"limits": LIMITS, "jitter": 1.0, "now_s": NOW_S}
    past = RateLimitExceeded(RateLimit(limit=1, remaining=0, reset_epoch=NOW_S - 30))
    assert [decide(past, attempt=n, **given).delay_s for n in (1, 2)] == [1.0, 2.0]
    assert [decide(too_many(0), attempt=n, **given).delay_s for n in (1, 2)] == [1.0, 2.0]
    assert decide(too_many(10**9), attempt=1, **given) == Again(delay_s=86_400.0)


def test_a_time_that_a_handler_names_is_exact():
    given = {"limits": LIMITS, "jitter": 1.0, "now_s": NOW_S}
    assert [decide(RetryAfter(0), attempt=n, **given).delay_s for n in (1, 2)] == [0.0, 0.0]


def test_a_policy_says_after_which_exceptions_it_runs_again():
    classes = {"retry_on": (OSError, TimeoutError), "give_up_on": (FileNotFoundError,)}
    picky = dataclasses.replace(LIMITS, **classes)
    given = {"attempt": 1, "limits": picky, "jitter": 1.0, "now_s": NOW_S}
    assert isinstance(decide(ConnectionError(), **given), Again)
    assert isinstance(decide(TimeoutError(), **given), Again)
    assert decide(RetryAfter(7), **given) == Again(delay_s=7.0)
    assert decide(FileNotFoundError(), **given) == Stop(because="its policy gives up on FileNotFoundError")
    assert decide(ValueError(), **given) == Stop(because="its policy does not retry on ValueError")
    assert isinstance(decide(ExceptionGroup("", [ValueError(), OSError()]), **given), Again)
    assert isinstance(decide(ExceptionGroup("", [OSError(), FileNotFoundError()]), **given), Stop)
