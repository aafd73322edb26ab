"""More deliveries than Redis has memory for, with the default retention: all are accepted and handled.

Finished ones make room, oldest first, and failed ones last.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Final

import httpx
import redis as sync_redis

from hookyard.ledger.keys import LedgerKeys
from tests.audit import audit
from tests.chaos.settling import count
from tests.chaos.verdict import Verdict
from tests.chaos.yard import Yard
from tests.fakes import until
from tests.trials.defaults import defaults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL: Final = ({"megabytes": 8, "deliveries": 6_000, "rate": 300.0},)
FULL: Final = ({"megabytes": 32, "deliveries": 200_000, "rate": 500.0},)

_CONNECTIONS: Final = 8
_FAILS_EVERY: Final = 10
_TEXT_BYTES: Final = 1000
_LOOK_S: Final = 1.0


async def run(directory: Path, *, megabytes: int, deliveries: int, rate: float) -> Verdict:
    """Send *deliveries*, a tenth of which fail, *rate* a second, to a Redis of *megabytes*."""
    yard = Yard(
        directory,
        handlers="tests.trials.bot:router",
        redis_options=("--maxmemory", f"{megabytes}mb"),
        environment={
            **defaults(),
            "HOOKYARD_MAX_ATTEMPTS": "1",  # what fails is to be failed, not to wait
            "HOOKYARD_LOG_LEVEL": "warning",  # else hundreds of megabytes
        },
    )
    ingress, _ = yard.add_ingress(), yard.add_worker()
    keys, verdict = LedgerKeys(), Verdict()
    async with yard.running():
        used: list[int] = []
        with sync_redis.Redis.from_url(yard.redis.url, socket_timeout=10) as client:
            watching = asyncio.create_task(_watch(client, used))
            began = time.monotonic()
            port = int(ingress.environment["HOOKYARD_PORT"])
            refused = await _post(port, deliveries, rate)
            sent_s = time.monotonic() - began
            await until(lambda: _is_settled(client, keys, yard.urls[0]), within_s=600)
            settled_s = time.monotonic() - began
            watching.cancel()
            verdict.broken += [f"key: {fault}" for fault in audit(client)]
            states: dict[bytes, bytes] = client.hgetall(keys.states)
            oldest_failed, oldest_done = (
                client.zrange(key, 0, 0, withscores=True) for key in (keys.failed, keys.done)
            )
        handled = set((directory / "handled.log").read_text().split())
        verdict.figures = {
            "sent": deliveries,
            "sent within, s": round(sent_s, 1),
            "not answered with 2xx": refused,
            "spooled": count(yard, "ingress", '"how": "spooled"'),
            "handled": len(handled),
            "all handled and the spool empty after, s": round(settled_s, 1),
            "left in the ledger": {state.decode(): int(number) for state, number in states.items()},
            "oldest failed is older than oldest succeeded by, s": (
                round((oldest_done[0][1] - oldest_failed[0][1]) / 1000)
                if oldest_done and oldest_failed
                else None
            ),
            "memory at a quarter, half, three quarters, end, MB": [
                round(used[int((len(used) - 1) * part)] / 1e6, 1) for part in (0.25, 0.5, 0.75, 1)
            ],
            "most memory, MB": round(max(used) / 1e6, 1),
            "refusals of Redis that were logged": count(yard, "", "Redis unavailable"),
        }
        if refused:
            verdict.broken.append(f"{refused} were not accepted")
        if len(handled) != deliveries:
            verdict.broken.append(f"{len(handled)} of {deliveries} were handled")
        if not oldest_failed or (oldest_done and oldest_done[0][1] < oldest_failed[0][1]):
            verdict.broken.append("failed deliveries were not kept longest")
        if max(used) > megabytes * 1024**2:
            verdict.broken.append(f"Redis grew to {max(used)} bytes")
        return verdict


async def _watch(client: sync_redis.Redis, used: list[int]) -> None:
    """Note each second what Redis uses, what is not counted against its limit left aside."""
    while True:
        with contextlib.suppress(sync_redis.RedisError):
            memory: dict[str, int] = client.info("memory")  # type: ignore[assignment]  # the same
            used.append(memory["used_memory"] - memory["mem_not_counted_for_evict"])
        await asyncio.sleep(_LOOK_S)


async def _is_settled(client: sync_redis.Redis, keys: LedgerKeys, url: str) -> bool:
    """Return whether nothing waits, in the ledger or in the spool."""
    async with httpx.AsyncClient() as asking:
        ready = (await asking.get(f"{url}/ready", timeout=30)).json()
    await asyncio.sleep(_LOOK_S)
    return not (ready["spool"]["waiting"] or client.zcard(keys.queue) or client.zcard(keys.quarantine))


async def _post(port: int, deliveries: int, rate: float) -> int:
    """Post them over a few connections; return how many were not answered with 2xx."""
    numbers, began = iter(range(deliveries)), time.monotonic()
    answers = await asyncio.gather(*(_post_each(port, numbers, began, rate) for _ in range(_CONNECTIONS)))
    return sum(answers)


async def _post_each(port: int, numbers: Iterator[int], began: float, rate: float) -> int:
    refused = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        kind = "fails always" if number % _FAILS_EVERY == 0 else "succeeds"
        body = json.dumps({"object_kind": "push", "kind": kind, "text": os.urandom(_TEXT_BYTES).hex()})
        head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-Gitlab-Event: Push Hook\r\nwebhook-id: f-{number:07}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write((head + body).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        refused += answer.split(b" ", 2)[1] not in {b"200", b"202"}
        if b"content-length: 0" not in answer.lower():
            raise ConnectionError(f"not an answer to an accepted delivery: {answer[:80]!r}")
    writer.close()
    return refused
