"""What a cancelled attempt comes to, by what its host had to say just then."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.host.messages import Ended, Opened
from hookyard.ledger.records import Outcome
from worker.attempt import _stopped
from worker.hosts.gone import HostGone, LateStart

INTERRUPTED = Ended(run=1, outcome=Outcome.INTERRUPTED, took_ms=1)


class Host:
    """One that answers a cancellation."""

    def __init__(self, answer):
        self.answer = answer

    def cancel(self, _run):
        ending = asyncio.get_running_loop().create_future()
        if isinstance(self.answer, Exception):
            ending.set_exception(self.answer)
        else:
            ending.set_result(self.answer)
        return ending


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (INTERRUPTED, INTERRUPTED),
        (Opened(run=1), None),
        (LateStart(), None),
        (HostGone("it is gone"), None),
    ],
)
async def test_whatever_a_host_answers_is_an_end_or_nothing(answer, told):
    """A chaos run met the second and the third, as faults of the worker's own."""
    assert await _stopped(Host(answer), 1) == told
