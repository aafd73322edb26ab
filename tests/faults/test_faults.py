"""Faulty connections, in short; ``make faults`` is the long run."""

from __future__ import annotations

import pytest

from tests.chaos.__main__ import report
from tests.faults.__main__ import run


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_on_faulty_connections(tmp_path, seed):
    verdict = await run(tmp_path, deliveries=400, seed=seed, rate=25, share=0.02)
    assert verdict.broken == [], report(verdict)
