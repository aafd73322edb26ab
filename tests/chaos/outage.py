"""A long outage under steady load: Redis stopped or frozen, an ingress killed in between.

``python -m tests.chaos.outage --how stop`` (or ``freeze``). Every answer must be 2xx, and everything
must be handled afterwards; exit code 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import redis as sync_redis

from tests.audit import audit
from tests.chaos.__main__ import Sender, report, wait_until_finished
from tests.chaos.verdict import Verdict, judge
from tests.chaos.yard import Yard


async def run(directory: Path, *, how: str, seconds: float, rate: float) -> Verdict:
    """Send for *seconds* and 10 more on either side, with Redis away in the middle."""
    yard = Yard(directory)
    await asyncio.to_thread(yard.start)
    keeping = asyncio.create_task(yard.keep_running(random.Random(1)))
    try:
        sender = Sender(yard.urls, random.Random(1), deadly=False)
        await sender.wait_for_the_door()
        sending = asyncio.create_task(sender.send(int((seconds + 20) * rate), rate))
        await asyncio.sleep(10)
        pid = yard.redis.pid
        assert pid is not None
        if how == "stop":
            await asyncio.to_thread(yard.redis.stop)
        else:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds / 2)
        yard.kill(yard.alive("ingress")[0])
        await asyncio.sleep(seconds / 2)
        if how == "stop":
            await asyncio.to_thread(yard.redis.start)
        else:
            os.kill(pid, signal.SIGCONT)
        back = time.monotonic()
        await sending
        records = await wait_until_finished(yard, sender.accepted)
        verdict = judge(sender.accepted, records, directory / "runs.log", yard)
        with sync_redis.Redis.from_url(yard.redis.url) as client:
            verdict.broken += [f"key: {fault}" for fault in audit(client)]
        if sender.refused:
            verdict.broken.append(f"{sender.refused} deliveries were answered by no door")
        verdict.broken += [
            f"{member.name} ended"
            for member in yard.members
            if member.starts != 1 + (member.name == "ingress-1")
        ]
        verdict.figures |= {
            "Redis away, s": f"{seconds:g} ({how})",
            "spooled": sum(
                (directory / f"ingress-{number}.log").read_text().count('"how": "spooled"')
                for number in (1, 2)
            ),
            "slowest answer, s": round(sender.slowest_s, 2),
            "all handled, s after Redis was back (10 of them under load)": round(time.monotonic() - back, 1),
        }
        return verdict
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        yard.stop()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outage", description=__doc__)
    parser.add_argument("--how", choices=["stop", "freeze"], default="stop")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="deliveries a second")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="hookyard-outage-"))
    verdict = asyncio.run(run(directory, how=chosen.how, seconds=chosen.seconds, rate=chosen.rate))
    print(report(verdict))
    if verdict.broken:
        print(f"logs and data: {directory}")
    else:
        shutil.rmtree(directory)
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
