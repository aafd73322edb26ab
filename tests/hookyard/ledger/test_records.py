"""What a delivery is: its id, and where its handlers stand after some runs."""

from __future__ import annotations

import pytest

from hookyard.ledger.records import (
    DELIVERY_ID,
    ERROR_LIMIT,
    FINISHED,
    UNFINISHED,
    Attempt,
    Ending,
    Outcome,
    Record,
    Run,
    Standing,
    State,
    one_line,
)
from tests.fakes import a_delivery


def attempt(handler, outcome, *, number=1, final=False):
    return Attempt(handler=handler, outcome=outcome, number=number, started_ms=1, took_ms=1, final=final)


def a_run(number, *attempts, carried=(), ending=Ending.SETTLED):
    return Run(number=number, worker="w", started_ms=1, ending=ending, attempts=attempts, carried=carried)


def record(*history, **changed):
    return Record(delivery=a_delivery(), state=State.RETRYING, history=history, **changed)


@pytest.mark.parametrize("good", ["a", "9", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", "a.b_c~d-e", "x" * 128])
def test_an_id_is_what_neither_redis_nor_shell_nor_url_would_change(good):
    assert DELIVERY_ID.fullmatch(good)


@pytest.mark.parametrize("bad", ["", "-a", ".a", "_a", "a:b", "a b", "a/b", "a\n", "é", "٣", "x" * 129])
def test_nothing_else_is_an_id(bad):
    assert not DELIVERY_ID.fullmatch(bad)


def test_every_state_is_finished_waiting_or_running():
    assert set(State) == FINISHED | UNFINISHED | {State.RUNNING}
    assert not FINISHED & UNFINISHED


def test_handlers_stand_where_their_latest_try_left_them():
    first = a_run(1, attempt("a", Outcome.SUCCEEDED, final=True), attempt("b", Outcome.FAILED))
    carried = tuple(standing for name, standing in first.standings().items() if name != "b")
    second = a_run(2, attempt("b", Outcome.TIMED_OUT, number=2), carried=carried)
    standings = record(first, second).standings()
    assert standings == {
        "a": Standing(handler="a", outcome=Outcome.SUCCEEDED, run=1, attempt=1, final=True),
        "b": Standing(handler="b", outcome=Outcome.TIMED_OUT, run=2, attempt=2, final=False),
    }


def test_a_try_that_died_before_it_wrote_anything_changes_nothing():
    first = a_run(1, attempt("a", Outcome.SUCCEEDED, final=True))
    assert record(first, a_run(2, ending=Ending.CRASHED)).standings() == first.standings()
    assert record().standings() == {}


def test_a_success_counts_until_a_replay_asks_for_all():
    first = a_run(1, attempt("a", Outcome.SUCCEEDED, final=True), attempt("b", Outcome.FAILED))
    assert record(first).succeeded_handlers() == {"a"}
    assert record(first, done_from=2).succeeded_handlers() == frozenset()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("plain", "plain"),
        ("  two\n\tlines \r\n", "two lines"),
        ("x" * ERROR_LIMIT, "x" * ERROR_LIMIT),
        ("x" * (ERROR_LIMIT + 1), "x" * (ERROR_LIMIT - 1) + "…"),
        ("half a pair: \ud83d", "half a pair: \\ud83d"),
        ("ünïcode 𝄞", "ünïcode 𝄞"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_one_line_is_one_that_can_be_stored_and_shown(text, line):
    assert one_line(text) == line
    assert len(one_line(text).encode()) >= len(line)
