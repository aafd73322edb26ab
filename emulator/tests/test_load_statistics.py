"""The numbers of a run."""

from __future__ import annotations

import pytest
from gitlab_emulator.hooks.sending import Answered, Broken, Ending, Refused, Sent, TimedOut, Unsendable
from gitlab_emulator.load_statistics import MANY_KINDS, LoadStatistics


def ended(ending: Ending, ms: int = 5) -> Sent:
    """A delivery that ended like that."""
    return Sent(ending=ending, duration_ms=ms)


def tally_of(*sent: Sent) -> LoadStatistics:
    """A run of these, one begun every tenth of a second."""
    statistics = LoadStatistics()
    for number, one in enumerate(sent):
        statistics.begin(100 + number / 10, late_s=number / 1000)
        statistics.end(one, 100.05 + number / 10)
    return statistics


def test_endings_are_counted_by_status_and_by_kind() -> None:
    """Only 2xx is well; what got no answer has no status."""
    run = tally_of(
        ended(Answered(status=202)),
        ended(Answered(status=202)),
        ended(Answered(status=503)),
        ended(Answered(status=301)),
        ended(TimedOut()),
        ended(Refused()),
        ended(Broken(why="ReadError")),
        ended(Unsendable(why="an odd header")),
    ).summary()
    assert (run.sent, run.ok, run.under_way, run.all_ok) == (8, 2, 0, False)
    assert run.by_status == {"202": 2, "301": 1, "503": 1}
    assert run.failures == {
        "no answer within 10 s": 1,
        "connection refused": 1,
        "ReadError": 1,
        "unsendable": 1,
    }


def test_latency_is_that_of_answers() -> None:
    """At least so many percent of them were as fast."""
    run = tally_of(
        *(ended(Answered(status=200), ms) for ms in range(1, 101)), ended(TimedOut(), 10_000)
    ).summary()
    assert run.latency_ms == {"p50": 50, "p95": 95, "p99": 99, "max": 100}


@pytest.mark.parametrize(("times", "latency"), [([], {}), ([7], {"p50": 7, "p95": 7, "p99": 7, "max": 7})])
def test_a_run_may_have_no_answers_or_one(times: list[int], latency: dict[str, int]) -> None:
    """All percentiles are then the same, or missing."""
    assert tally_of(*(ended(Answered(status=200), ms) for ms in times)).summary().latency_ms == latency


def test_the_rate_is_that_of_beginnings() -> None:
    """Slow answers at the end do not lower it; one delivery alone has none."""
    run = tally_of(*[ended(Answered(status=200))] * 11).summary()
    assert (run.rate, run.duration_s, run.late_ms) == (10.0, 1.05, 10)
    assert tally_of(ended(Answered(status=200))).summary().rate is None


def test_what_is_under_way_is_neither_well_nor_failed() -> None:
    """A run that was cut short is not all well."""
    statistics = tally_of(ended(Answered(status=200)))
    statistics.begin(101, late_s=0)
    assert (statistics.summary().under_way, statistics.failed, statistics.summary().all_ok) == (1, 0, False)


@pytest.mark.parametrize(
    ("sent", "unreachable"),
    [
        ([], False),
        ([Refused()], True),
        ([Unsendable(why="x")], True),
        ([TimedOut()], False),
        ([Answered(status=500), Refused()], False),
    ],
)
def test_a_run_is_unreachable_while_nothing_can_answer(sent, unreachable) -> None:
    """A receiver that was there once may come back."""
    assert tally_of(*map(ended, sent)).unreachable is unreachable


def test_failures_of_all_too_many_kinds_are_counted_together() -> None:
    """However odd the errors, the summary stays short."""
    failures = tally_of(*(ended(Broken(why=f"error {number}")) for number in range(200))).summary().failures
    assert len(failures) == MANY_KINDS + 1
    assert failures["others"] == 150
