"""The chaos run: ``make chaos DELIVERIES=20000 SEED=1``.

Sends deliveries with known ids at a steady rate through two ingresses to four workers, breaks things at
random meanwhile, and says at the end whether every promise was kept. Two of the workers have clocks that
are wrong, one is arq's own. Exit code 1 when a promise was broken, or when the run never got to a situation
that it is for.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.clocks import off_by
from tests.chaos.faults import Faults
from tests.chaos.memory_limit import limit_memory
from tests.chaos.settling import count, settle_and_judge
from tests.chaos.yard import ROOT, Yard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.verdict import Verdict

KINDS: Final = (
    *("succeeds",) * 5,
    *("fails",) * 2,
    *("sleeps", "blocks"),
    *("plain succeeds", "plain fails", "plain sleeps"),
)
RARE: Final = ("exits", "holds the lock", "hogs", "hangs", "segfaults")
"""Each comes once in 500 deliveries: they cost seconds, or the life of a host."""

MEMORY_BYTES: Final = 700 * 1024**2
"""For a worker with all its hosts."""


async def run(directory: Path, *, deliveries: int, seed: int, rate: float, every_s: float) -> Verdict:
    """Do a whole run in *directory* and judge it."""
    yard = Yard(directory, environment={"CHAOS_GIL_NUMBERS": "400_000_000"})
    kinds = add_members(yard)
    faults = Faults(yard, random.Random(seed + 1), every_s=every_s)
    task = asyncio.current_task()
    assert task is not None
    # told to stop, it stops what it started
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with yard.running(seed=seed + 2) as sender:
        breaking = asyncio.create_task(faults.go_on())
        await sender.send(list(bodies(random.Random(seed), deliveries, kinds)), rate)
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        verdict, _ = await settle_and_judge(yard, sender)
        verdict.figures |= {"seed": seed, "faults": dict(faults.counts.most_common())}
        was_reached(verdict, yard)
        return verdict


def add_members(yard: Yard) -> tuple[str, ...]:
    """Add who runs; return the kinds of rare deliveries that they can be given."""
    yard.add_ingress()
    yard.add_ingress()
    limits = [limit_memory(f"hookyard-chaos-{number}", MEMORY_BYTES) for number in range(4)]
    for limit, skew_s in zip(limits, (0, 3600, -7200), strict=False):
        yard.add_worker(memory=limit, **off_by(skew_s, path=str(ROOT)) if skew_s else {})
    yard.add_stock_worker(memory=limits[3])
    if None in limits:
        print("memory hogs are left out: control groups cannot be made here")
    return tuple(kind for kind in RARE if kind != "hogs" or None not in limits)


def bodies(chance: random.Random, deliveries: int, rare: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield what is sent; each kind that is rare comes once in 500."""
    places = {(each + 1) * 500 // (len(rare) + 1): kind for each, kind in enumerate(rare)}
    for number in range(deliveries):
        kind = places.get(number % 500) or chance.choice(KINDS)
        yield {"kind": kind, "text": "x" * chance.randrange(3000)}


def was_reached(verdict: Verdict, yard: Yard) -> None:
    """Break the run where it never got to what it is for."""
    verdict.figures["spooled"] = count(yard, "ingress", '"how": "spooled"')
    verdict.sometimes("replays of a spool", count(yard, "ingress", '"spool drained"'))
    verdict.sometimes("leases lost", count(yard, "", '"lease lost'))
    verdict.sometimes(
        "runs alone, out of the quarantine", count(yard, "", '"quarantined delivery runs alone"')
    )
    verdict.sometimes("hosts that crashed", count(yard, "worker", '"host crashed"'))
    verdict.sometimes("hosts that were killed", count(yard, "worker", '"host killed'))
    verdict.sometimes("runs by workers with wrong clocks", count(yard, "worker-2", '"handler succeeded"'))
    verdict.sometimes("runs by arq's own worker", count(yard, "stock", '"handler succeeded"'))


def report(verdict: Verdict) -> str:
    """Return the figures and what was broken, for people."""
    lines = [f"{name:56} {value}" for name, value in verdict.figures.items()]
    lines += [f"BROKEN: {fault}" for fault in verdict.broken[:50]]
    lines.append(f"{len(verdict.broken)} promises broken" if verdict.broken else "every promise kept")
    return "\n".join(lines)


def conclude(verdict: Verdict, directory: Path, *, keep: bool) -> int:
    """Print what a run came to, and remove its directory if all is well; return the exit code."""
    print(report(verdict))
    if verdict.broken or keep:
        print(f"logs and data: {directory}")
    else:
        shutil.rmtree(directory)
    return 1 if verdict.broken else 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rate", type=float, default=100.0, help="deliveries a second")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between faults, on average")
    parser.add_argument("--keep", action="store_true", help="keep the directory with logs and data")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="hookyard-chaos-"))
    verdict = asyncio.run(
        run(
            directory,
            deliveries=chosen.deliveries,
            seed=chosen.seed,
            rate=chosen.rate,
            every_s=chosen.every,
        )
    )
    return conclude(verdict, directory, keep=chosen.keep)


if __name__ == "__main__":
    sys.exit(main())
