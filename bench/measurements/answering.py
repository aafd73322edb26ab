"""How long an answer takes at half of what the in-memory bot can take; from the planned moment on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import load
from bench.contenders import HOOKYARD_INGRESS, IN_MEMORY, Ingress
from bench.measurements.accepting import accepted_per_second
from bench.report import row
from bench.stage import SECRET, Stage
from bench.turns import in_turn, progress

if TYPE_CHECKING:
    from bench.measurements.effort import Effort, Found


def p99_ms(stage: Stage, ingress: Ingress, seconds: float, rate: float) -> float:
    """Return the 99th percentile at a fixed rate, open-loop."""
    with stage.redis() as url, stage.serving(*ingress.arguments, REDIS_URL=url) as at:
        load.put_on(at.port, payloads=stage.payloads, secret=SECRET, seconds=1, rate=rate)  # warm
        result = load.put_on(at.port, payloads=stage.payloads, secret=SECRET, seconds=seconds, rate=rate)
    return result.p99_ms


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare Hookyard's ingress with the in-memory bot at the same rate."""
    rate = accepted_per_second(stage, IN_MEMORY, effort.load_s) / 2
    progress.print(f"  at {rate:,.0f} a second")
    samples = in_turn(
        "p99",
        "ms",
        {
            each.name: partial(p99_ms, stage, each, effort.load_s, rate)
            for each in (IN_MEMORY, HOOKYARD_INGRESS)
        },
        rounds=effort.rounds,
    )
    mine, other = samples[HOOKYARD_INGRESS.name], samples[IN_MEMORY.name]
    bound = 2.0 if stage.appendfsync == "everysec" else None
    what = f"p99 of the answer at {rate:,.0f} a second"
    return [row(what, mine, against=IN_MEMORY.name, other=other, at_most=bound)], {"p99": samples}
