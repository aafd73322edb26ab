"""Deliveries handled per second by one worker process: from its first start to the last settled."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.contenders import ARQ, ARQ_DEFAULTS, HOOKYARD, HOOKYARD_TALKING, SAQ, WORKERS, Worker
from bench.report import row
from bench.stage import Stage, client_of
from bench.turns import Samples, in_turn

if TYPE_CHECKING:
    import redis

    from bench.measurements.effort import Effort, Found

_LOOK_S: Final = 0.005
_LIMIT_S: Final = 120.0
_WAITING_SLOTS: Final = 200
_LIMIT_PER_S: Final = _WAITING_SLOTS / 0.05


class TooSlow(Exception):
    """A worker did not get through in time."""


def handled_per_second(stage: Stage, worker: Worker, count: int, **environment: str) -> float:
    """Fill the queue with *count*, start the worker, and time it until nothing is left."""
    with stage.redis() as url:
        asyncio.run(worker.fill(url, count))
        given = {"REDIS_URL": url, **worker.environment, **environment}
        with client_of(url) as client, stage.process(*worker.arguments, **given):
            return _rate(client, worker.unfinished, count)


def _rate(client: redis.Redis, key: str, count: int) -> float:
    deadline = time.monotonic() + _LIMIT_S
    began, at_first = 0.0, count
    while True:
        left: Any = client.zcard(key)
        now = time.monotonic()
        if left < count and not began:
            began, at_first = now, left
        if left == 0:
            return at_first / (now - began)
        if now > deadline:
            raise TooSlow(f"{left} of {count} left after {_LIMIT_S:g} s")
        time.sleep(_LOOK_S)


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare all workers with handlers that do nothing, then ours with ones that wait 50 ms."""
    samples = in_turn(
        "handled",
        "/s",
        {
            each.name: partial(
                handled_per_second, stage, each, effort.slow_count if each.slow else effort.count
            )
            for each in WORKERS
        },
        rounds=effort.rounds,
    )
    mine, talking = samples[HOOKYARD.name], samples[HOOKYARD_TALKING.name]
    what = "no-op deliveries handled per second"
    rows = [
        row(what, mine, against=ARQ.name, other=samples[ARQ.name], at_least=6.0),
        row(what, mine, against=SAQ.name, other=samples[SAQ.name], at_least=4.0),
        row(what, mine, against=ARQ_DEFAULTS.name, other=samples[ARQ_DEFAULTS.name]),
        row(f"{what}, log level info", talking, against=ARQ.name, other=samples[ARQ.name]),
    ]
    waiting = _waiting(stage, effort)
    limit = f"{_WAITING_SLOTS} ÷ 50 ms"
    what = f"handlers that wait 50 ms, {_WAITING_SLOTS} slots, per second"
    rows.append(row(what, waiting[HOOKYARD.name], against=limit, other=_LIMIT_PER_S, at_least=0.93))
    rows += [
        row(f"{what}: {name}", each, against=limit, other=_LIMIT_PER_S)
        for name, each in waiting.items()
        if name != HOOKYARD.name
    ]
    return rows, {"handled": samples, "waiting 50 ms": waiting}


def _waiting(stage: Stage, effort: Effort) -> dict[str, Samples]:
    return in_turn(
        "waiting 50 ms",
        "/s",
        {
            each.name: partial(
                handled_per_second,
                stage,
                each,
                effort.count,
                HOOKYARD_HANDLERS="bench.bot:waits",
                HOOKYARD_SLOTS=str(_WAITING_SLOTS),
            )
            for each in (ARQ, SAQ, HOOKYARD)
        },
        rounds=max(1, effort.rounds - 2),
    )
