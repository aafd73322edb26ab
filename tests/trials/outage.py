"""Redis away for longer than a lease while handlers run and deliveries come: each handler runs once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.chaos.settling import count, settle_and_judge
from tests.chaos.steps import read_steps
from tests.chaos.yard import Yard
from tests.fakes import until
from tests.trials.defaults import defaults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.verdict import Verdict

SMALL: Final = tuple(
    {"how": how, "away_s": 5.0, "running": 40, "lease_s": 3.0, "rate": 10.0} for how in ("stop", "freeze")
)
FULL: Final = tuple(
    {"how": how, "away_s": away_s, "running": 200, "lease_s": 10.0, "rate": 20.0}
    for how in ("stop", "freeze")
    for away_s in (12.0, 60.0)
)


async def run(
    directory: Path, *, how: str, away_s: float, running: int, lease_s: float, rate: float
) -> Verdict:
    """Take Redis away with *running* handlers in two workers; a third of them end before it is back.

    :param how: ``stop`` or ``freeze``.
    :param rate: deliveries a second that come meanwhile.
    """
    yard = Yard(directory, environment=defaults(lease_s=lease_s))
    yard.add_ingress()
    for _ in range(2):
        yard.add_worker(HOOKYARD_SLOTS=str(running))
    log = directory / "runs.log"
    async with yard.running() as sender:
        lasts_s = [away_s * part for part in (0.5, 1.0, 1.5)]
        bodies = [{"kind": "innocent", "seconds": lasts_s[number % 3]} for number in range(running)]
        await sender.send(bodies, 200)
        await until(lambda: _counted(log)["start"] >= running)
        begun = _running(log)
        coming = [{"kind": "innocent", "seconds": 0.1}] * int(rate * away_s)
        sending = asyncio.create_task(sender.send(coming, rate, name="meanwhile"))
        pid = yard.redis.pid
        assert pid is not None
        if how == "stop":
            await asyncio.to_thread(yard.redis.stop)
        else:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(away_s)
        if how == "stop":
            await asyncio.to_thread(yard.redis.start)
        else:
            os.kill(pid, signal.SIGCONT)
        back = time.monotonic()
        await sending
        verdict, _ = await settle_and_judge(yard, sender)
        starts = Counter(
            sum(step.what == "start" and step.handler == "second" for step in mine)
            for mine in read_steps(log).values()
        )
        if set(starts) != {1}:
            verdict.broken.append(f"handlers were started more than once: {dict(starts)}")
        if sender.refused:
            verdict.broken.append(f"{sender.refused} deliveries were answered by no door")
        verdict.broken += [f"{member.name} ended" for member in yard.members if len(member.pids) > 1]
        verdict.figures |= {
            "Redis away, s": f"{away_s:g} ({how})",
            "running when it went": begun,
            "starts of a handler: deliveries": dict(starts),
            "all handled, s after Redis was back": round(time.monotonic() - back, 1),
            "leases lost": count(yard, "worker", '"lease lost'),
        }
        verdict.sometimes("spooled", count(yard, "ingress", '"how": "spooled"'))
        return verdict


def _running(log: Path) -> int:
    """Return how many of the second handlers have started and not ended."""
    whats = _counted(log)
    return whats["start"] - whats["end"]


def _counted(log: Path) -> Counter[str]:
    """Return how many of the second handlers have started, and ended."""
    return Counter(
        step.what for mine in read_steps(log).values() for step in mine if step.handler == "second"
    )
