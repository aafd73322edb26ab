"""Wait until all deliveries of a run are finished, and read the ledger."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import redis as sync_redis

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis.client import close, open_redis
from tests.audit import audit
from tests.chaos.verdict import judge

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys
    from hookyard.ledger.records import Record
    from tests.chaos.sender import Sender
    from tests.chaos.verdict import Verdict
    from tests.chaos.yard import Yard


_OWN_FAULTS: Final = (
    *("a delivery's task failed", "a delivery's job failed", "lease renewal failed", "pruning failed"),
    *("attending to the ledger failed", "waiting for the wake-up failed", "maintaining the spool failed"),
    "draining the spool failed",
)
"""Log lines that no fault of others may bring about."""


async def settle(
    yard: Yard, accepted: set[str], *, within_s: float, end_waits: bool = True
) -> dict[str, Record]:
    """Return all records, once every accepted delivery is finished or patience is over.

    :param end_waits: whether what is quarantined falls due at once.
    """
    redis = open_redis(yard.redis.url, timeout_s=10)
    try:
        ledger = Ledger(redis)
        listing = Listing(redis, ledger.keys)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                stats = await listing.stats()
                waiting = await redis.zcard(ledger.keys.queue) + await redis.zcard(ledger.keys.quarantine)
                if end_waits:
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


async def settle_and_judge(
    yard: Yard, sender: Sender, *, within_s: float = 600.0, end_waits: bool = True
) -> tuple[Verdict, dict[str, Record]]:
    """Wait until all is finished; return what the run came to, with the ledger's books audited."""
    began = time.monotonic()
    records = await settle(yard, sender.accepted, within_s=within_s, end_waits=end_waits)
    settled_s = time.monotonic() - began
    verdict = judge(sender.accepted, records, yard)
    with sync_redis.Redis.from_url(yard.redis.url) as client:
        verdict.broken += [f"key: {fault}" for fault in audit(client)]
    verdict.broken += [
        f"{member.name} logged a fault of its own: {line[:200]} … {line[-600:]}"
        for member in yard.members
        for line in yard.logs(member.name)
        if any(text in line for text in _OWN_FAULTS)
    ]
    verdict.figures |= {
        "not accepted (all doors away)": sender.refused,
        "accepted twice, kept once": sender.repeated,
        "slowest answer, s": round(sender.slowest_s, 2),
        "settled after the last was sent, s": round(settled_s, 1),
        "starts of processes": sum(len(member.pids) for member in yard.members),
    }
    return verdict, records


def count(yard: Yard, kind: str, *texts: str) -> int:
    """Return how many lines in the logs of members of a kind have one of *texts*."""
    return sum(any(text in line for text in texts) for line in yard.logs(kind))
