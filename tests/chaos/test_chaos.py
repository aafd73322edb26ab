"""A short chaos run; ``make chaos DELIVERIES=20000 SEED=1`` is the long one."""

from __future__ import annotations

import pytest

from tests.chaos.__main__ import report, run


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_promise_is_kept_while_things_break(tmp_path):
    verdict = await run(tmp_path, deliveries=1500, seed=7, rate=50, every_s=1.2)
    assert verdict.broken == [], report(verdict)
    assert verdict.figures["accepted"] > 1000
    assert sum(verdict.figures["faults"].values()) > 10
