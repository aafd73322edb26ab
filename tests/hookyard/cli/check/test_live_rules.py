"""What is made of the set-up as it runs: one table of cases for each thing that is looked at."""

from __future__ import annotations

import pytest

from hookyard.cli.check import live_rules as running
from hookyard.ledger.query import Stats
from hookyard.ledger.records import State

NOW_MS = 1_700_000_000_000


def stats(*, oldest_due_ms=None, **states):
    counts = {state: states.get(state.value, 0) for state in State}
    return Stats(states=counts, total=sum(counts.values()), oldest_due_ms=oldest_due_ms, now_ms=NOW_MS)


def levels(found):
    return {one.about: one.level.value for one in found}


@pytest.mark.parametrize(
    ("alive", "told", "expected"),
    [
        (["w-1"], {}, {"workers": "ok", "queue": "ok"}),
        ([], {}, {"workers": "risk", "queue": "ok"}),
        (["w-1"], {"oldest_due_ms": NOW_MS + 60_000}, {"workers": "ok", "queue": "ok"}),
        (["w-1"], {"oldest_due_ms": NOW_MS - 301_000}, {"workers": "ok", "queue": "risk"}),
        (["w-1"], {"failed": 2}, {"workers": "ok", "queue": "ok", "failed": "risk"}),
        (["w-1"], {"succeeded": 2}, {"workers": "ok", "queue": "ok"}),
    ],
)
def test_workers_and_what_waits_for_them_are_judged(alive, told, expected):
    assert levels(running.of_workers(alive, stats(**told))) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["ok"]),
        ({"per_day": 100_000.0}, ["risk"]),
        ({"per_day": 100_000.0, "keep_days": 1}, ["ok"]),
        ({"per_day": 100_000.0, "keep_count": 50_000}, ["ok"]),
        ({"allowed_bytes": None, "per_day": 100_000.0}, []),
        ({"total": 10}, []),
    ],
)
def test_retention_that_memory_has_no_room_for_is_a_risk(changed, expected):
    given = {
        "keep_days": 7,
        "keep_count": 1_000_000,
        "allowed_bytes": 750 * 1024**2,
        "used_bytes": 27 * 1024**2,
        "total": 10_000,
        "per_day": 10_000.0,
    }
    found = running.of_retention(**{**given, **changed})
    assert [one.level.value for one in found] == expected
    assert all("2.8 KiB" in one.text for one in found)


@pytest.mark.parametrize(("ahead_s", "level"), [(0.2, "ok"), (-4.9, "ok"), (5, "risk"), (-3600, "risk")])
def test_redis_and_this_machine_should_agree_on_the_time(ahead_s, level):
    assert running.of_redis_clock(ahead_s).level.value == level


@pytest.mark.parametrize(
    ("ahead_s", "tolerance_s", "signed", "expected"),
    [
        (None, 300, True, {}),
        (1.0, 300, True, {"clock": "ok"}),
        (-31.0, 300, False, {"clock": "risk"}),
        (120.0, 300, True, {"clock": "risk"}),
        (-300.0, 300, True, {"clock": "fault"}),
        (400.0, 300, False, {"clock": "risk"}),
        (15.0, 10, True, {"clock": "fault"}),
    ],
)
def test_a_clock_that_gets_signed_webhooks_refused_is_a_fault(ahead_s, tolerance_s, signed, expected):
    found = running.of_gitlab_clock({"clock_ahead_s": ahead_s}, tolerance_s=tolerance_s, signed=signed)
    assert levels(found) == expected


def test_it_is_said_which_way_a_clock_is_wrong():
    assert "Redis is 7 s ahead of" in running.of_redis_clock(7.1).text
    assert "Redis is 7 s behind" in running.of_redis_clock(-7.1).text


def a_report(**changed):
    return {"directory": "/spool", "error": None, "waiting": 0, "damaged": [], **changed}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (a_report(directory=None), []),
        (a_report(), ["ok"]),
        (a_report(waiting=3), ["risk"]),
        (a_report(damaged=["2 in spool.sqlite3"]), ["risk", "ok"]),
        (a_report(waiting=3, damaged=["x"]), ["risk", "risk"]),
        (a_report(error="disk I/O error"), ["fault"]),
    ],
)
def test_a_spool_that_is_not_empty_is_a_risk(report, expected):
    assert [one.level.value for one in running.of_spool(report)] == expected
