"""The slow action on a push."""

from __future__ import annotations

import pytest

from handlers import build_docs
from hookyard.ledger.records import State


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(build_docs, "BUILD_S", 0.01)


async def test_a_push_builds_the_docs(bot):
    record = await bot.deliver("push")
    assert record.state is State.SUCCEEDED
    assert [attempt.handler for attempt in record.history[0].attempts] == ["handlers.build_docs:build_docs"]
