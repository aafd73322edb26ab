"""The chaos run: ``make chaos DELIVERIES=20000 SEED=1``.

Sends deliveries with known ids at a steady rate through two ingresses to three workers, breaks
things at random meanwhile, and says at the end whether every promise was kept. Exit code 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis as sync_redis

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis.client import close, open_redis
from tests.audit import audit
from tests.chaos.faults import Faults
from tests.chaos.verdict import Verdict, judge
from tests.chaos.yard import Yard

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys

KINDS = ["succeeds"] * 6 + ["fails"] * 2 + ["sleeps"] + ["blocks"]
SETTLE_S = 180


async def run(directory: Path, *, deliveries: int, seed: int, rate: float, every_s: float) -> Verdict:
    """Do a whole run in *directory* and judge it."""
    chance = random.Random(seed)
    yard = Yard(directory)
    faults = Faults(yard, random.Random(seed + 1), every_s=every_s)
    task = asyncio.current_task()
    assert task is not None
    # told to stop, it stops what it started
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.to_thread(yard.start)
    keeping = asyncio.create_task(yard.keep_running(random.Random(seed + 2)))
    try:
        sender = Sender(yard.urls, chance)
        await sender.wait_for_the_door()
        breaking = asyncio.create_task(faults.go_on())
        await sender.send(deliveries, rate)
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        began = time.monotonic()
        records = await wait_until_finished(yard, sender.accepted)
        settled_s = time.monotonic() - began
        verdict = judge(sender.accepted, records, directory / "runs.log", yard)
        with sync_redis.Redis.from_url(yard.redis.url) as client:
            verdict.broken += [f"key: {fault}" for fault in audit(client)]
        verdict.figures |= {
            "seed": seed,
            "not accepted (all doors away)": sender.refused,
            "accepted twice, kept once": sender.repeated,
            "spooled": sum(
                (directory / f"ingress-{n}.log").read_text().count('"how": "spooled"') for n in (1, 2)
            ),
            "slowest answer, s": round(sender.slowest_s, 2),
            "settled after the last fault, s": round(settled_s, 1),
            "faults": dict(faults.counts.most_common()),
            "starts of processes": sum(member.starts for member in yard.members),
        }
        return verdict
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        yard.stop()


class Sender:
    """Posts as GitLab behind a load balancer would: a door that does not answer costs a second attempt."""

    def __init__(self, urls: list[str], chance: random.Random, *, deadly: bool = True) -> None:
        self.accepted: set[str] = set()
        self.refused = 0
        self.repeated = 0
        self.slowest_s = 0.0
        self._urls = urls
        self._chance = chance
        self._deadly = deadly
        self._turn = itertools.count()

    async def wait_for_the_door(self) -> None:
        """Return once both ingresses answer."""
        async with httpx.AsyncClient() as client:
            for url in self._urls:
                while True:
                    try:
                        await client.get(f"{url}/health")
                        break
                    except httpx.HTTPError:
                        await asyncio.sleep(0.05)

    async def send(self, deliveries: int, rate: float) -> None:
        """Send them, *rate* a second."""
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=50)
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=10, limits=limits) as client, asyncio.TaskGroup() as group:
            for number in range(deliveries):
                group.create_task(self._post(client, f"c-{number:06}", self._body(number)))
                if sys.stderr.isatty() and number % 100 == 0:
                    sys.stderr.write(f"\r{number} of {deliveries} sent, {len(self.accepted)} accepted ")
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        if sys.stderr.isatty():
            sys.stderr.write("\n")

    def _body(self, number: int) -> dict[str, Any]:
        kind = "kills" if self._deadly and number % 1000 == 500 else self._chance.choice(KINDS)
        return {"object_kind": "push", "kind": kind, "text": "x" * self._chance.randrange(3000)}

    async def _post(self, client: httpx.AsyncClient, delivery_id: str, body: dict[str, Any]) -> None:
        headers = {"x-gitlab-event": "Push Hook", "webhook-id": delivery_id}
        first = next(self._turn)
        for attempt in range(2):
            url = self._urls[(first + attempt) % len(self._urls)]
            began = time.monotonic()
            try:
                answer = await client.post(url, json=body, headers=headers)
            except httpx.HTTPError:
                continue
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if answer.status_code in {200, 202}:
                self.accepted.add(delivery_id)
                self.repeated += answer.status_code == 200
                return
        self.refused += 1


async def wait_until_finished(yard: Yard, accepted: set[str]) -> dict[str, Any]:
    """Return all records, once every accepted delivery is finished or patience is over."""
    redis = open_redis(yard.redis.url, timeout_s=10)
    try:
        ledger = Ledger(redis)
        listing = Listing(redis, ledger.keys)
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            try:
                stats = await listing.stats()
                waiting = await redis.zcard(ledger.keys.queue) + await redis.zcard(ledger.keys.quarantine)
                await _end_waits(redis, ledger.keys)
            except (OSError, sync_redis.RedisError):
                waiting, stats = 1, None
            if stats and not waiting and stats.total >= len(accepted):
                break
            await asyncio.sleep(0.2)
        names = [raw.decode() for raw in await redis.zrange(ledger.keys.received, 0, -1)]
        found = [await listing.get(name) for name in names]
        return {record.delivery.id: record for record in found if record}
    finally:
        await close(redis)


async def _end_waits(redis: ArqRedis, keys: LedgerKeys) -> None:
    """Have what is quarantined fall due: its waits are for faults that last, and these are over."""
    for member in await redis.zrange(keys.quarantine, 0, -1):
        await redis.zadd(keys.quarantine, {member: 1}, xx=True)


def report(verdict: Verdict) -> str:
    """Return the figures and what was broken, for people."""
    lines = [f"{name:48} {value}" for name, value in verdict.figures.items()]
    lines += [f"BROKEN: {fault}" for fault in verdict.broken[:50]]
    lines.append(f"{len(verdict.broken)} promises broken" if verdict.broken else "every promise kept")
    return "\n".join(lines)


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
    print(report(verdict))
    if verdict.broken or chosen.keep:
        print(f"logs and data: {directory}")
    else:
        import shutil

        shutil.rmtree(directory)
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
