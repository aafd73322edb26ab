"""Faulty connections to Redis: ``make faults SEED=1``.

An ingress, two workers and the command line reach a real Redis through a proxy each, which cuts, halves,
delays and swallows what they send and receive, by chance from a seed. Exit code 1 when anything that was
accepted is lost or stuck, when a handler ran more often than its attempts and lost leases explain or
overlapped itself, or when an order that was confirmed was not carried out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hookyard.ledger.records import Outcome, Record, State
from tests.chaos.__main__ import conclude
from tests.chaos.settling import count, settle_and_judge
from tests.chaos.steps import Step, read_steps
from tests.chaos.yard import ROOT, Yard
from tests.faults.proxy import Deck, Fault, FaultProxy
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.chaos.sender import Sender
    from tests.chaos.verdict import Verdict

KINDS: Final = ("innocent", "innocent", "plain innocent", "fails", "plain fails")
REPLAYED: Final = 10
_COMMAND_S: Final = 60.0


async def run(directory: Path, *, deliveries: int, seed: int, rate: float, share: float) -> Verdict:
    """Send *deliveries*, *rate* a second, while *share* of all that is said to Redis is struck."""
    yard = Yard(directory)
    yard.add_ingress()
    yard.add_worker()
    yard.add_worker()
    proxies = await yard.put_proxies_between(seed=seed)
    chance = random.Random(seed)
    async with yard.running() as sender:
        await sender.send([{"kind": "innocent", "seconds": 0}] * REPLAYED, 100, name="replayed")
        assert yard.redis.port is not None
        operator = Operator(directory, FaultProxy(yard.redis.port, seed=f"{seed}/operator"))
        await operator.proxy.start(free_port())
        deck = Deck(tuple(Fault), seed=str(seed))
        for proxy in (*proxies, operator.proxy):
            proxy.deck = deck
        for proxy in proxies:
            proxy.share = share
        operator.proxy.share = 0.2
        operating = asyncio.create_task(operator.work())
        bodies = [
            {"kind": chance.choice(KINDS), "seconds": chance.uniform(0, 0.5)} for _ in range(deliveries)
        ]
        await sender.send(bodies, rate)
        await operating
        for proxy in proxies:
            proxy.share = 0.0
        await operator.proxy.stop()
        verdict = await _judge(yard, sender, operator)
        counts: Counter[Fault] = Counter()
        for proxy in (*proxies, operator.proxy):
            counts.update(proxy.counts)
        verdict.figures |= {"seed": seed, "spooled": count(yard, "ingress", '"how": "spooled"')}
        for fault in Fault:
            verdict.sometimes(fault.value, counts[fault])
        return verdict


async def _judge(yard: Yard, sender: Sender, operator: Operator) -> Verdict:
    confirmed = operator.confirmed
    replayed = {name for name in sender.accepted if name.startswith("replayed")}
    sender.accepted -= replayed
    verdict, records = await settle_and_judge(yard, sender)
    steps = read_steps(yard.directory / "runs.log")
    lost = Counter(json.loads(line)["delivery_id"] for line in yard.logs("worker") if '"lease lost' in line)
    for name in sorted(sender.accepted & records.keys()):
        verdict.broken += [f"{name}: {fault}" for fault in _too_many(records[name], steps[name], lost[name])]
    for name in sorted(replayed):
        starts = sum(step.what == "start" and step.handler == "second" for step in steps[name])
        if name not in records or records[name].state is not State.SUCCEEDED:
            verdict.broken.append(f"{name} was accepted and is {records.get(name)}")
        elif name in confirmed and starts < 2:
            verdict.broken.append(f"{name}: its replay was confirmed and never ran")
    verdict.broken += operator.broken
    verdict.broken += [f"{member.name} ended" for member in yard.members if len(member.pids) > 1]
    verdict.figures |= {
        "commands": operator.commands,
        "commands that said Redis was away": operator.failures,
        "replays confirmed": len(confirmed),
        "leases lost": count(yard, "worker", '"lease lost'),
    }
    return verdict


def _too_many(record: Record, steps: list[Step], lost: int) -> list[str]:
    """Return the handlers that were started more often than their attempts and lost leases explain."""
    allowed: Counter[str] = Counter()
    for run in record.history:
        for attempt in run.attempts:
            name = attempt.handler.rpartition(":")[2]
            allowed[name] = max(allowed[name], attempt.number) + (attempt.outcome is Outcome.INTERRUPTED)
    starts = Counter(step.handler for step in steps if step.what == "start")
    return [
        f"{handler} was started {number} times, for {allowed[handler]} attempts and {lost} lost leases"
        for handler, number in starts.items()
        if number > allowed[handler] + lost
    ]


@dataclass
class Operator:
    """Somebody who uses the command line meanwhile, through *proxy*."""

    directory: Path
    proxy: FaultProxy
    commands: int = 0
    failures: int = 0
    confirmed: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    async def work(self) -> None:
        """Look and replay, one command after the other."""
        for number in range(REPLAYED):
            name = f"replayed-{number:06}"
            if await self._command("replay", name, "--yes"):
                self.confirmed.add(name)
            await self._command(*(("stats",), ("deliveries",), ("show", name))[number % 3])

    async def _command(self, *arguments: str) -> bool:
        """Return whether a command succeeded; one that failed must have said in a line that Redis is away."""
        self.commands += 1
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hookyard.cli.main"),
            *arguments,
            cwd=self.directory,
            env={"REDIS_URL": self.proxy.url, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_COMMAND_S):
                shown = (await process.communicate())[0].decode()
        except TimeoutError:
            process.kill()
            await process.wait()
            self.broken.append(f"hookyard {' '.join(arguments)} did not end")
            return False
        if process.returncode:
            self.failures += 1
            if "Redis" not in shown or "Traceback" in shown:
                self.broken.append(f"hookyard {' '.join(arguments)} said {shown}")
        return process.returncode == 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rate", type=float, default=50.0, help="deliveries a second")
    parser.add_argument("--share", type=float, default=0.01, help="of what is struck")
    parser.add_argument("--keep", action="store_true", help="keep the directory with logs and data")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="hookyard-faults-"))
    given = {"deliveries": chosen.deliveries, "seed": chosen.seed, "rate": chosen.rate, "share": chosen.share}
    return conclude(asyncio.run(run(directory, **given)), directory, keep=chosen.keep)


if __name__ == "__main__":
    sys.exit(main())
