"""Deliveries that crash whoever runs them, among innocent ones: exits, segmentation faults, memory hogs."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from hookyard.ledger.records import State
from tests.chaos.memory_limit import limit_memory
from tests.chaos.settling import count, settle_and_judge
from tests.chaos.verdict import CRASHING, kind_of
from tests.chaos.yard import Yard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.verdict import Verdict

SMALL: Final = ({"workers": 2, "share": 0.1, "deliveries": 60},)
FULL: Final = tuple(
    {"workers": workers, "share": share, "deliveries": 400} for workers in (2, 4) for share in (0.02, 0.1)
)
_MEMORY_BYTES: Final = 700 * 1024**2
_PER_S: Final = 20.0


async def run(directory: Path, *, workers: int, share: float, deliveries: int) -> Verdict:
    """Send *deliveries*, of which *share* crash, and have nobody else fail."""
    yard = Yard(directory)
    yard.add_ingress()
    limits = [limit_memory(f"hookyard-poison-{number}", _MEMORY_BYTES) for number in range(workers)]
    for limit in limits:
        yard.add_worker(memory=limit)
    kinds = sorted(CRASHING if None not in limits else CRASHING - {"hogs"})
    every = round(1 / share)
    chance = random.Random(1)
    bodies: list[dict[str, Any]] = [
        {"kind": kinds[number // every % len(kinds)]}
        if number % every == every // 2
        else {"kind": "innocent", "seconds": chance.uniform(0.5, 2)}
        for number in range(deliveries)
    ]
    async with yard.running() as sender:
        await sender.send(bodies, _PER_S)
        verdict, records = await settle_and_judge(yard, sender, within_s=600)
        innocents = [record for record in records.values() if kind_of(record) == "innocent"]
        failed = [record.delivery.id for record in innocents if record.state is not State.SUCCEEDED]
        verdict.broken += [f"{name} is innocent and did not succeed" for name in failed]
        verdict.figures |= {
            "innocents": len(innocents),
            "innocents that failed": len(failed),
            "workers that died": sum(len(member.pids) - 1 for member in yard.members),
        }
        verdict.sometimes("hosts that crashed", count(yard, "worker", '"host crashed"'))
        return verdict
