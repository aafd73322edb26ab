"""What an exception is described as, whatever it does to who asks it."""

from __future__ import annotations

import httpx
import pytest

from hookyard import GiveUp
from hookyard.host.failures import TRACEBACK_LIMIT, describe, status_of, trace
from hookyard.host.retry import Again, Limits, decide

LIMITS = Limits(max_attempts=8, backoff_s=5, max_backoff_s=10_800)


class Unprintable(Exception):
    """Has no text."""

    def __str__(self):
        raise KeyboardInterrupt


class Hostile(httpx.HTTPError):
    """Raises whatever it is asked for, as a ``__getattr__`` without an end does."""

    def __getattr__(self, name):
        return getattr(self, f"{name}_")


def raised(error):
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_a_group_is_described_with_what_is_in_it():
    group = ExceptionGroup("in a TaskGroup", [ExceptionGroup("deeper", [GiveUp("no label")]), Unprintable()])
    assert describe(group) == (
        "ExceptionGroup: in a TaskGroup (2 sub-exceptions): GiveUp: no label, "
        "Unprintable: its text cannot be shown (KeyboardInterrupt in __str__)"
    )


@pytest.mark.parametrize("kind", [Unprintable, Hostile, lambda _text: ExceptionGroup("one", [Unprintable()])])
def test_no_exception_can_keep_from_being_described_and_decided_about(kind):
    error = kind("never")
    assert describe(error).startswith(f"{type(error).__name__}: ")
    assert "raise error" in trace(raised(error), skip="nothing", scrub=str)
    assert status_of(error) is None
    assert decide(error, attempt=1, limits=LIMITS, jitter=1.0, now_s=0.0) == Again(delay_s=5.0)


def test_a_traceback_can_be_stored_as_utf_8_and_keeps_its_end():
    text = trace(raised(ValueError("\ud800" * TRACEBACK_LIMIT + "the end")), skip="nothing", scrub=str)
    assert text.encode().endswith(b"the end\n")
    assert len(text) <= TRACEBACK_LIMIT + 2
