"""How much is done for one measurement: the quick run and the full one."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report import Row
from bench.turns import Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """Rounds, seconds and counts; ``slow_count`` is for a worker that only does 200 a second."""

    rounds: int
    load_s: float
    count: int
    slow_count: int
    singles: int
    slow_singles: int
    idle_s: float
    flow_s: float
    backlog: int


QUICK = Effort(
    rounds=2,
    load_s=2,
    count=5_000,
    slow_count=300,
    singles=60,
    slow_singles=10,
    idle_s=6,
    flow_s=2,
    backlog=50_000,
)
FULL = Effort(
    rounds=5,
    load_s=5,
    count=20_000,
    slow_count=600,
    singles=300,
    slow_singles=40,
    idle_s=60,  # what a worker does once a minute belongs to it
    flow_s=6,
    backlog=1_000_000,
)

Found = tuple[list[Row], dict[str, dict[str, Samples]]]
"""Rows, and the samples by what was measured and contender."""
