"""A short chaos run; ``make chaos DELIVERIES=20000 SEED=1`` is the long one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from tests.chaos.__main__ import report, run
from tests.chaos.clocks import off_by


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_promise_is_kept_while_things_break(tmp_path):
    verdict = await run(tmp_path, deliveries=1500, seed=7, rate=40, every_s=1.2)
    assert verdict.broken == [], report(verdict)
    assert verdict.figures["accepted"] > 1000


async def test_a_process_may_have_a_wrong_clock():
    command = [sys.executable, "-c", "import time; print(time.time(), time.time_ns(), time.monotonic())"]
    environment = {**os.environ, **off_by(-7200, path="")}
    shown = await asyncio.to_thread(subprocess.check_output, command, env=environment, text=True)
    day_s, day_ns, monotonic_s = map(float, shown.split())
    assert abs(day_s + 7200 - time.time()) < 600
    assert abs(day_ns / 1e9 + 7200 - time.time()) < 600
    assert abs(monotonic_s - time.monotonic()) < 600
