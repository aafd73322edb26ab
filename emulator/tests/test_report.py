"""What `send` says at the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gitlab_emulator import report
from gitlab_emulator.load import Plan
from gitlab_emulator.load_statistics import Summary

RUN: dict[str, Any] = {
    "sent": 10_000,
    "under_way": 0,
    "ok": 10_000,
    "by_status": {"202": 10_000},
    "failures": {},
    "duration_s": 50.123,
    "rate": 199.9,
    "late_ms": 3,
    "latency_ms": {"p50": 2, "p95": 4, "p99": 1_021, "max": 2_000},
}


def lines(count: int = 10_000, rate: float | None = 200, **changed: Any) -> list[str]:
    """The summary of such a run."""
    plan = Plan(
        url="http://ann:hush@127.0.0.1:8000/",
        body=b"",
        make=lambda: ("", {}),
        count=count,
        rate=rate,
        at_once=100,
        keep_alive=False,
    )
    return report.summary(Summary(**{**RUN, **changed}), plan).splitlines()


def test_a_load_without_faults_takes_four_lines() -> None:
    """How many how fast, where to (without a password), what was answered, how long that took."""
    assert lines() == [
        "sent      10,000 in 50.1 s: 199.9/s, asked for 200/s",
        "to        http://*****:*****@127.0.0.1:8000/",
        "answered  202: 10,000",
        "latency   p50 2 ms   p95 4 ms   p99 1,021 ms   max 2,000 ms",
    ]


def test_what_went_wrong_is_named() -> None:
    """Failures by kind, what was cut off, and that the rate was not held."""
    changed: dict[str, Any] = {
        "sent": 120,
        "under_way": 7,
        "failures": {"no answer within 10 s": 3, "ReadError": 1},
        "late_ms": 1_234,
    }
    found = lines(**changed)
    assert found[0].startswith("sent       120 of 10,000 in 50.1 s")
    assert "no answer  no answer within 10 s: 3   ReadError: 1" in found
    assert "cut off    7 still outstanding" in found
    assert found[-1] == "late       up to 1.2 s: too slow for 200/s with 100 outstanding"


@pytest.mark.parametrize("changed", [{}, {"late_ms": 99_999, "under_way": 100, "sent": 1_000_000}])
def test_every_line_fits_a_narrow_terminal(changed: dict[str, Any]) -> None:
    """Eighty columns."""
    assert max(map(len, lines(count=1_000_000, rate=10_000, **changed))) <= 80


def test_one_after_the_other_asks_for_no_rate() -> None:
    """And none is late."""
    assert lines(rate=None, late_ms=9_999)[0] == "sent      10,000 in 50.1 s: 199.9/s"
    assert not [line for line in lines(rate=None, late_ms=9_999) if line.startswith("late ")]


def test_programs_get_the_same_numbers() -> None:
    """As one JSON object."""
    assert json.loads(report.summary_as_json(Summary(**RUN))) == RUN
