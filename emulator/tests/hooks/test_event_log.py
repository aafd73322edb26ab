"""The log of deliveries stays bounded."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.hooks import event_log
from gitlab_emulator.hooks.event_log import EventLog
from hooks.yard import NOW, Yard

if TYPE_CHECKING:
    from gitlab_emulator.state import State
    from receiving import Receiver


@pytest.mark.parametrize(("limit", "value"), [("MAX_EVENTS", 3), ("MAX_BYTES", 3 * 13)])
async def test_the_oldest_go_first(
    yard: Yard, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(event_log, limit, value)
    hook = yard.add(receiver.url)
    for number in range(5):
        await yard.execute(body={"number": number})  # 12 bytes
    kept = [event.request_data["number"] for event in yard.hooks.log.of(hook, NOW)]
    assert kept == [4, 3, 2]


async def test_events_are_listed_for_seven_days(yard: Yard, receiver: Receiver) -> None:
    hook = yard.add(receiver.url)
    await yard.execute()
    yard.forward(days=7, seconds=-1)
    assert len(yard.hooks.log.of(hook, yard.clock())) == 1
    yard.forward(seconds=1)
    assert yard.hooks.log.of(hook, yard.clock()) == []


async def test_a_log_from_before_goes_on_counting(yard: Yard, receiver: Receiver, state: State) -> None:
    hook = yard.add(receiver.url)
    await yard.execute()
    again = EventLog(state)
    (event,) = again.of(hook, NOW + timedelta(days=1))
    assert again.next_id() == event.id + 1
