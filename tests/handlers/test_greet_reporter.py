"""The greeting on a newly opened issue."""

from __future__ import annotations

from hookyard.ledger.records import State


async def test_the_reporter_of_an_opened_issue_is_thanked(bot):
    assert (await bot.deliver("issue-open", user__username="ada")).state is State.SUCCEEDED
    assert bot.notes_posted() == ["Thank you for the report, @ada! Somebody will look at it soon."]


async def test_a_closed_issue_is_nothing_to_greet(bot):
    assert (await bot.deliver("issue-close")).state is State.IGNORED
    assert bot.notes_posted() == []


async def test_an_issue_that_is_not_there_is_a_failure_for_good(bot):
    record = await bot.deliver("issue-open", object_attributes__iid="404")
    assert record.state is State.FAILED
    assert "404" in record.error
    assert record.runs == 1
