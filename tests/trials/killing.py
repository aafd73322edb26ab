"""Workers that are killed from outside again and again, then calm: nobody is to blame, and nobody fails."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

from hookyard.ledger.records import State
from tests.chaos.settling import count, settle_and_judge
from tests.chaos.yard import Yard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.verdict import Verdict

SMALL: Final = ({"seconds": 8.0, "every_s": 1.5, "deliveries": 30, "end_waits": True},)
FULL: Final = ({"seconds": 120.0, "every_s": 1.5, "deliveries": 300, "end_waits": False},)


async def run(
    directory: Path, *, seconds: float, every_s: float, deliveries: int, end_waits: bool
) -> Verdict:
    """Kill one of two workers each *every_s* for *seconds*, while *deliveries* flow.

    :param end_waits: have what is quarantined fall due at once, when the killing is over.
    """
    yard = Yard(directory)
    yard.add_ingress()
    for _ in range(2):
        yard.add_worker()
    chance = random.Random(1)
    bodies = [{"kind": "innocent", "seconds": chance.uniform(0.5, 2)} for _ in range(deliveries)]
    async with yard.running() as sender:
        sending = asyncio.create_task(sender.send(bodies, deliveries / seconds))
        kills = await _kill(yard, chance, seconds=seconds, every_s=every_s)
        await sending
        calm = time.monotonic()
        verdict, records = await settle_and_judge(yard, sender, within_s=1200, end_waits=end_waits)
        failed = [name for name, record in records.items() if record.state is not State.SUCCEEDED]
        verdict.broken += [f"{name} did not succeed" for name in failed]
        verdict.figures |= {
            "kills": kills,
            "all handled, s after the last": round(time.monotonic() - calm, 1),
            "most crashes held against one": max(
                (sum(run.ending.value == "crashed" for run in record.history) for record in records.values()),
                default=0,
            ),
        }
        verdict.sometimes("runs alone, out of the quarantine", count(yard, "worker", "runs alone"))
        return verdict


async def _kill(yard: Yard, chance: random.Random, *, seconds: float, every_s: float) -> int:
    kills, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(every_s)
        alive = yard.alive("worker")
        if alive:
            yard.kill(chance.choice(alive))
            kills += 1
    return kills
