"""Time to an answer at half of the in-memory bot's maximum, from the planned moment on.

Each webhook has a connection of its own, as GitLab opens them.
"""

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
        put_on = partial(load.put_on, payloads=stage.payloads, secret=SECRET, rate=rate, keep_alive=False)
        put_on(at.port, seconds=1)  # warm
        result = put_on(at.port, seconds=seconds)
    return result.p99_ms


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare Hookyard's ingress with the in-memory bot at the same rate."""
    rate = accepted_per_second(stage, IN_MEMORY, effort.load_s, keep_alive=False) / 2
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
