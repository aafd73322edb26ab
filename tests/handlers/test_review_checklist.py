"""The checklist on a newly opened merge request."""

from __future__ import annotations

from handlers.review_checklist import CHECKLIST
from hookyard.ledger.records import State


async def test_an_opened_merge_request_gets_the_checklist_once(bot):
    assert (await bot.deliver("merge-request-open")).state is State.SUCCEEDED
    assert (await bot.deliver("merge-request-open")).state is State.SUCCEEDED
    assert bot.notes_posted() == [CHECKLIST]
