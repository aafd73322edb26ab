from __future__ import annotations

import pytest

from hookyard.ledger.times import ago, iso, parse_moment, span, until

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("15m", NOW - 900_000),
        ("15min", NOW - 900_000),
        ("2h", NOW - 7_200_000),
        (" 3D ", NOW - 3 * 86_400_000),
        ("1.5h", NOW - 5_400_000),
        ("30 s", NOW - 30_000),
        ("1w", NOW - 604_800_000),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20", NOW),
        ("2023-11-15T00:13:20+02:00", NOW),
        ("2023-11-14", 1_699_920_000_000),
    ],
)
def test_a_moment_is_a_span_before_now_or_an_iso_time(text, moment_ms):
    assert parse_moment(text, now_ms=NOW) == moment_ms


@pytest.mark.parametrize("text", ["", "yesterday", "15", "m", "-2h", "2023-13-01", "1h30m"])
def test_what_is_neither_is_said_with_examples(text):
    with pytest.raises(ValueError, match="is not a time: write 15m"):
        parse_moment(text, now_ms=NOW)


def test_iso_times_are_utc_with_milliseconds():
    assert iso(NOW + 7) == "2023-11-14T22:13:20.007Z"


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (1234, "1.2 s"),
        (34_000, "34 s"),
        (119_000, "119 s"),
        (120_000, "2 min"),
        (7_500_000, "2 h 5 min"),
        (7_200_000, "2 h"),
        (90_000_000, "1 d 1 h"),
        (20 * 86_400_000, "20 d"),
    ],
)
def test_a_length_of_time_has_one_or_two_units(length_ms, text):
    assert span(length_ms) == text


def test_the_past_is_ago_and_the_future_is_in():
    assert ago(NOW - 12_300, now_ms=NOW) == "12 s ago"
    assert ago(NOW + 5000, now_ms=NOW) == "just now"
    assert until(NOW + 33_600, now_ms=NOW) == "in 34 s"
    assert until(NOW + 1, now_ms=NOW) == "in 1 s"
    assert until(NOW, now_ms=NOW) == "now"
