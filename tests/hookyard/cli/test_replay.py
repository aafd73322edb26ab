from __future__ import annotations

import pytest

from hookyard.cli import replay
from hookyard.ledger.records import State


@pytest.fixture
def somebody_answers(monkeypatch):
    """A terminal at standard input."""
    monkeypatch.setattr(replay, "_is_interactive", lambda: True)


async def test_replay_by_id_runs_all_handlers_again(hookyard, keep, listing):
    await keep("d-1", State.SUCCEEDED)
    run = await hookyard("replay", "d-1")
    assert (run.code, run.out.split()) == (0, ["d-1", "queued"])
    record = await listing.get("d-1")
    assert (record.state, record.succeeded_handlers()) == (State.QUEUED, frozenset())


async def test_replay_of_only_what_failed_keeps_successes(hookyard, keep, listing):
    from tests.hookyard.cli.conftest import an_attempt

    await keep("d-1", State.FAILED, attempts=(an_attempt("bot:first", failed=False), an_attempt()))
    assert (await hookyard("replay", "d-1", "--failed-only")).code == 0
    assert (await listing.get("d-1")).succeeded_handlers() == {"bot:first"}


async def test_replay_says_that_a_running_one_runs_again_later(hookyard, keep):
    await keep("d-1", State.RUNNING)
    assert "will run again after this run" in (await hookyard("replay", "d-1")).out


async def test_ids_that_are_missing_are_named_and_the_others_replayed(hookyard, keep, listing):
    await keep("d-long-enough", State.FAILED)
    run = await hookyard("replay", "d-lon", "d-9")
    assert run.code == 1
    assert "d-long-enough  queued" in run.out
    assert "There is no delivery d-9" in run.err
    assert (await listing.get("d-long-enough")).state is State.QUEUED


async def test_the_json_of_an_order_says_what_became_of_each(hookyard, keep):
    await keep("d-1", State.FAILED)
    await keep("d-2", State.RUNNING)
    run = await hookyard("replay", "d-1", "d-2", "d-9", "--json")
    assert run.json == {
        "deliveries": [
            {"id": "d-1", "answer": "queued"},
            {"id": "d-2", "answer": "running"},
            {"id": "d-9", "answer": "missing"},
        ]
    }


@pytest.mark.parametrize("order", ["replay", "discard"])
async def test_a_choice_by_filter_is_refused_where_nobody_can_be_asked(hookyard, keep, listing, order):
    await keep("d-1", State.FAILED)
    run = await hookyard(order, "--state", "failed")
    assert run.code == 2
    assert "1 delivery" in run.err
    assert "--yes" in run.err
    assert (await listing.get("d-1")).state is State.FAILED


async def test_a_choice_by_filter_says_how_many_and_asks(hookyard, keep, listing, somebody_answers):
    for number in range(3):
        await keep(f"d-{number}", State.FAILED)
    run = await hookyard("replay", "--state", "failed", typed="n\n")
    assert "Replay 3 deliveries (all handlers)?" in run.err
    assert run.code == 1
    assert (await listing.get("d-0")).state is State.FAILED
    assert (await hookyard("replay", "--state", "failed", typed="y\n")).code == 0
    assert (await listing.stats()).states[State.QUEUED] == 3


async def test_a_long_report_is_a_count(hookyard, keep, listing):
    for number in range(21):
        await keep(f"d-{number}", State.FAILED)
    run = await hookyard("replay", "--state", "failed", "--yes")
    assert run.out.strip() == "21 deliveries queued"


@pytest.mark.parametrize("order", ["replay", "discard"])
@pytest.mark.parametrize("arguments", [[], ["d-1", "--state", "failed"]])
async def test_an_order_wants_ids_or_filters(hookyard, keep, listing, order, arguments):
    await keep("d-1", State.FAILED)
    run = await hookyard(order, *arguments, "--yes")
    assert run.code == 2
    assert "either ids or filters" in run.err
    assert (await listing.get("d-1")).state is State.FAILED


async def test_filters_that_match_nothing_do_nothing(hookyard, keep):
    run = await hookyard("discard", "--state", "failed")
    assert (run.code, run.out.strip()) == (0, "No delivery matches; nothing was changed.")


async def test_discard_removes_for_good(hookyard, keep, listing):
    await keep("d-1", State.FAILED)
    await keep("d-2", State.IGNORED)
    await keep("d-3", State.IGNORED)
    assert (await hookyard("discard", "d-1")).out.split() == ["d-1", "discarded"]
    assert (await hookyard("discard", "--state", "ignored", "--yes", "--json")).json == {
        "deliveries": [{"id": "d-2", "answer": "discarded"}, {"id": "d-3", "answer": "discarded"}]
    }
    assert (await listing.stats()).total == 0
