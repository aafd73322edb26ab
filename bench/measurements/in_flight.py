"""How many handlers run at the same moment in a fleet of workers that has more to do than slots."""

from __future__ import annotations

import asyncio
import os
import select
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.contenders import ARQ, HOOKYARD, Worker
from bench.report import row
from bench.turns import in_turn

if TYPE_CHECKING:
    from bench.measurements.effort import Effort, Found
    from bench.stage import Stage

WORKERS: Final = 20
SLOTS: Final = 10
_LIMIT_S: Final = 60.0
_FLEETS: Final = {
    HOOKYARD.name: ("-m", "bench.contenders.hookyard_fleet"),
    ARQ.name: ("-m", "bench.contenders.arq_fleet"),
}


def most_at_once(stage: Stage, worker: Worker) -> float:
    """Give a fleet twice the work it has slots for; handlers say when they run and when not."""
    count = 2 * WORKERS * SLOTS
    with stage.redis() as url, stage.pipe() as (pipe, named):
        asyncio.run(worker.fill(url, count))
        given = {
            "REDIS_URL": url,
            "HOOKYARD_HANDLERS": "bench.bot:holds",
            "HOOKYARD_SLOTS": str(SLOTS),
            "BENCH_WORKERS": str(WORKERS),
            **named,
        }
        with stage.process(*_FLEETS[worker.name], **given):
            return _peak(pipe, count)


def _peak(pipe: int, count: int) -> int:
    running = peak = ended = 0
    deadline = time.monotonic() + _LIMIT_S
    while ended < count and time.monotonic() < deadline:
        if select.select([pipe], [], [], 1)[0]:
            for mark in os.read(pipe, 65536):
                running += {ord("+"): 1, ord("-"): -1}.get(mark, 0)
                ended += mark == ord("-")
                peak = max(peak, running)
    return peak


def measure(stage: Stage, _effort: Effort) -> Found:
    """Look once: it is a count, not a speed."""
    samples = in_turn(
        "in flight",
        "handlers",
        {each.name: partial(most_at_once, stage, each) for each in (HOOKYARD, ARQ)},
        rounds=1,
    )
    slots = WORKERS * SLOTS
    mine, what = samples[HOOKYARD.name], f"in flight with {WORKERS} workers of {SLOTS} slots"
    rows = [
        row(what, mine, against="slots", other=float(slots), at_least=1.0),
        row(what, mine, against="arq", other=samples[ARQ.name]),
    ]
    return rows, {"in flight": samples}
