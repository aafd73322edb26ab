"""Puts webhooks into a contender's queue before its worker starts, as its own client would write them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from typing import TYPE_CHECKING, Any, Final

import redis.asyncio
from arq.constants import default_queue_name, job_key_prefix
from arq.jobs import serialize_job

from bench import payloads
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.records import Delivery
from hookyard.redis.client import close, open_redis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BATCH: Final = 512
_DAY_MS: Final = 86_400_000


def _webhooks(count: int) -> Iterator[tuple[str, str, bytes]]:
    """Id, event name and body of *count* webhooks; bodies repeat after 300, ids never."""
    ids = payloads.fresh_ids(random.Random(), count)  # noqa: S311 - ids, not secrets
    bodies = itertools.cycle(payloads.make(300))
    return ((one, name, body) for one, (name, body) in zip(ids, bodies, strict=False))


async def hookyard(url: str, count: int) -> None:
    """Accept *count* deliveries through the ledger."""
    await accept(url, (a_delivery(*webhook) for webhook in _webhooks(count)))


async def accept(url: str, deliveries: Iterable[Delivery]) -> None:
    """Accept *deliveries* through the ledger, many at once."""
    client = open_redis(url, timeout_s=60)
    ledger = Ledger(client)
    waiting = iter(deliveries)
    while batch := list(itertools.islice(waiting, _BATCH)):
        await asyncio.gather(*(ledger.accept(delivery) for delivery in batch))
    await close(client)


def a_delivery(delivery_id: str, name: str, body: bytes) -> Delivery:
    """Return a delivery as the ingress would make it."""
    return Delivery(
        id=delivery_id,
        event=name,
        received_ms=time.time_ns() // 1_000_000,
        content_type="application/json",
        body=body,
        headers={
            "x-gitlab-event-uuid": "5b1d2f9e-40e5-4a0e-8c3a-6f2b9f4d7a11",
            "x-gitlab-webhook-uuid": "7f1e3c52-5d5e-4d0a-9b4b-1f0d7ad0c0de",
            "x-gitlab-instance": "https://gitlab.example.test",
            "user-agent": "GitLab/18.9.0",
        },
        project="group-1/parser-1",
        object="#7",
        authenticated_by="secret token 1 (…0000)",
    )


async def arq(url: str, count: int) -> None:
    """Write what ``enqueue_job`` writes, with its own serializer, many at once."""
    client = redis.asyncio.Redis.from_url(url)
    for batch in _batches(count):
        now_ms = time.time_ns() // 1_000_000
        async with client.pipeline(transaction=False) as pipe:
            for one, name, body in batch:
                job = serialize_job("handle", (name, json.loads(body)), {}, None, now_ms)
                pipe.psetex(job_key_prefix + one, _DAY_MS, job)
                pipe.zadd(default_queue_name, {one: now_ms})
            await pipe.execute()
    await client.aclose()


async def saq(url: str, count: int) -> None:
    """Enqueue *count* jobs with SAQ's client."""
    from saq import Queue  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - only SAQ needs it

    queue: Any = Queue.from_url(url)
    for batch in _batches(count):
        await asyncio.gather(
            *(queue.enqueue("handle", key=one, name=name, data=json.loads(body)) for one, name, body in batch)
        )
    await queue.disconnect()


def _batches(count: int) -> Iterator[list[tuple[str, str, bytes]]]:
    webhooks = _webhooks(count)
    while batch := list(itertools.islice(webhooks, _BATCH)):
        yield batch
