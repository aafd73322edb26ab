"""The trials in small; ``make trial NAME=poison`` runs one in full size."""

from __future__ import annotations

import importlib

import pytest

from tests.chaos.__main__ import report
from tests.trials.__main__ import TRIALS

SIZES = [(name, size) for name in TRIALS for size in importlib.import_module(f"tests.trials.{name}").SMALL]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "size"), SIZES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(SIZES)])
async def test_the_promise_is_kept(tmp_path, name, size):
    verdict = await importlib.import_module(f"tests.trials.{name}").run(tmp_path, **size)
    assert verdict.broken == [], report(verdict)
