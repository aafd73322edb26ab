"""Whether accepting and handling stay as fast when very many deliveries wait as when few do.

Handling is measured while the number that waits is kept where it is: what the worker handles is
topped up at once, by the ledger, in this process; the same at either depth.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench import load
from bench.contenders import HOOKYARD, HOOKYARD_INGRESS
from bench.contenders.filling import a_delivery, accept
from bench.report import row
from bench.stage import SECRET, Stage, client_of
from bench.turns import in_turn, progress
from hookyard.ledger.ledger import Ledger
from hookyard.redis.client import close, open_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measurements.effort import Effort, Found
    from hookyard.ledger.records import Delivery

FEW: Final = 100
_SLOTS: Final = 100
_BATCH: Final = 256
_BODY: Final = b'{"object_kind":"push","project":{"id":1,"path_with_namespace":"group-1/parser-1"}}'
_START_S: Final = 20.0


def _small(count: int | None = None) -> Iterator[Delivery]:
    run = os.urandom(4).hex()
    numbers = itertools.count() if count is None else range(count)
    return (a_delivery(f"{run}-0000-4000-8000-{number:012x}", "Push Hook", _BODY) for number in numbers)


def accepted_per_second(stage: Stage, url: str, seconds: float) -> float:
    """Put load on an ingress over what already waits there."""
    with stage.serving(*HOOKYARD_INGRESS.arguments, REDIS_URL=url) as at:
        put_on = partial(load.put_on, payloads=stage.payloads, secret=SECRET, keep_alive=True)
        put_on(at.port, seconds=1)  # warm
        return put_on(at.port, seconds=seconds).per_second


def handled_per_second(stage: Stage, url: str, seconds: float) -> float:
    """Run a worker for so long while the number that waits is held."""
    with stage.process(*HOOKYARD.arguments, REDIS_URL=url):
        return asyncio.run(_hold(url, seconds))


async def _hold(url: str, seconds: float) -> float:
    client = open_redis(url, timeout_s=60)
    ledger, more = Ledger(client), _small()
    depth = int(await client.zcard(ledger.keys.queue)) + _SLOTS  # claimed ones are still in the queue
    done_at_first, began = 0, 0.0
    deadline = time.monotonic() + _START_S + seconds
    try:
        while time.monotonic() < deadline:
            left = int(await client.zcard(ledger.keys.queue))
            done, now = int(await client.zcard(ledger.keys.done)), time.monotonic()
            if not began and done:
                done_at_first, began = done, now
            if began and now >= began + seconds:
                return (done - done_at_first) / (now - began)
            missing = min(depth - left, _BATCH)
            if missing > 0:
                await asyncio.gather(*(ledger.accept(one) for one in itertools.islice(more, missing)))
            else:
                await asyncio.sleep(0.002)
    finally:
        await close(client)
    raise TimeoutError("the worker handled nothing")


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare the two depths, each in a Redis of its own."""
    with contextlib.ExitStack() as opened:
        urls = {depth: opened.enter_context(stage.redis()) for depth in (FEW, effort.backlog)}
        took = _fill(urls[effort.backlog], effort.backlog)
        progress.print(f"  {effort.backlog:,} deliveries accepted in {took:,.1f} s")
        accepting, handling = (
            in_turn(
                f"{what} with so many waiting",
                "/s",
                {
                    f"{depth:,}": partial(_at_depth, measuring, stage, url, depth, effort.flow_s)
                    for depth, url in urls.items()
                },
                rounds=effort.rounds,
            )
            for what, measuring in (("accepted", accepted_per_second), ("handled", handled_per_second))
        )
    few, many = f"{FEW:,}", f"{effort.backlog:,}"
    rows = [
        row(
            f"{what} per second at {many} waiting",
            each[many],
            against=f"{few} waiting",
            other=each[few],
            at_least=0.9,
        )
        for what, each in (("accepted", accepting), ("handled", handling))
    ]
    return rows, {"accepted at depth": accepting, "handled at depth": handling}


def _at_depth(measuring: Any, stage: Stage, url: str, depth: int, seconds: float) -> float:
    """Measure; where few are to wait, what an earlier measurement left there is removed first."""
    if depth == FEW:
        with client_of(url) as client:
            client.flushall()
        _fill(url, FEW)
    found: float = measuring(stage, url, seconds)
    return found


def _fill(url: str, count: int) -> float:
    began = time.monotonic()
    asyncio.run(accept(url, _small(count)))
    return time.monotonic() - began
