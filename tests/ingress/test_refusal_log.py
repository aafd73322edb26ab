"""Refusals in the log: each while they are few, their number while they are many."""

from __future__ import annotations

import structlog
from structlog.testing import CapturingLogger

from ingress.refusal import Refusal
from ingress.refusal_log import PER_PERIOD, PERIOD_S, RefusalLog

REFUSAL = Refusal(status=401, reason="no_secret", detail="the request has no secret")


def test_a_flood_of_refusals_writes_few_lines_and_says_how_many_it_left_out():
    captured = CapturingLogger()
    log = structlog.wrap_logger(captured, processors=[], wrapper_class=structlog.BoundLogger)
    refusals = RefusalLog(log)
    for _ in range(PER_PERIOD + 500):
        refusals.note(REFUSAL, now_s=7.0)
    assert len(captured.calls) == PER_PERIOD
    assert not any("left_out" in call.kwargs for call in captured.calls)
    refusals.note(REFUSAL, now_s=7.0 + PERIOD_S)
    refusals.note(REFUSAL, now_s=8.0 + PERIOD_S)
    first, second = captured.calls[PER_PERIOD:]
    assert (first.kwargs["left_out"], first.kwargs["reason"]) == (500, "no_secret")
    assert "left_out" not in second.kwargs
