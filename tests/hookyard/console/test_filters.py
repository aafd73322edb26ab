"""The language of filters."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookyard.console import filters
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Outcome, State

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Filter()),
        ("state:failed", Filter(state=State.FAILED)),
        ('event:"Push Hook" project:group/app', Filter(event="Push Hook", project="group/app")),
        ("handler:bot:label outcome:timed_out", Filter(handler="bot:label", outcome=Outcome.TIMED_OUT)),
        ("since:2h", Filter(since_ms=NOW - 7_200_000)),
        ("time out", Filter(text="time out")),
        ("https://x.example/y", Filter(text="https://x.example/y")),
        ("object:group/app!12", Filter(object="group/app!12")),
    ],
)
def test_what_a_filter_means(text, meant):
    assert filters.parse(text, now_ms=NOW) == meant


@pytest.mark.parametrize("text", ["handlr:x", "state:", 'state:""', "outcome:good", "since:soon"])
def test_what_means_nothing_is_refused_with_what_there_is(text):
    with pytest.raises(filters.FilterError):
        filters.parse(text, now_ms=NOW)


letters = st.text("abcXYZ019 /!#._-", min_size=1, max_size=20)
words = letters.map(lambda text: " ".join(text.split())).filter(bool)


@given(
    st.builds(
        Filter,
        state=st.none() | st.sampled_from(State),
        event=st.none() | words,
        project=st.none() | words,
        object=st.none() | words,
        handler=st.none() | words,
        outcome=st.none() | st.sampled_from(Outcome),
        error=st.none() | words,
        source=st.none() | words,
        since_ms=st.none() | st.integers(10**12, 2 * 10**12),
        text=st.none() | words,
    )
)
def test_a_filter_reads_back_as_it_was_written(wanted):
    assert filters.parse(filters.text_of(wanted), now_ms=NOW) == wanted


@given(st.text(max_size=200))
def test_no_text_breaks_it(text):
    with contextlib.suppress(filters.FilterError):
        filters.parse(text, now_ms=NOW)
