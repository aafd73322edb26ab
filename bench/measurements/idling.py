"""What an idle worker asks of Redis: commands per second, those inside scripts counted too."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.contenders import ARQ, ARQ_DEFAULTS, HOOKYARD, SAQ, Worker
from bench.report import row
from bench.stage import Stage, client_of
from bench.turns import in_turn, progress

if TYPE_CHECKING:
    import redis

    from bench.measurements.effort import Effort, Found

_SETTLE_S: Final = 2.0


def commands_per_second(stage: Stage, worker: Worker, seconds: float) -> float:
    """Start a worker over an empty queue, let it settle, and count."""
    with (
        stage.redis() as url,
        client_of(url) as client,
        stage.process(*worker.arguments, REDIS_URL=url, **worker.environment),
    ):
        time.sleep(_SETTLE_S)
        before, began = _calls(client), time.monotonic()
        time.sleep(seconds)
        after, ended = _calls(client), time.monotonic()
    calls = {
        name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)
    }
    progress.print(f"  {worker.name}, idle for {seconds:g} s: {calls or 'nothing'}")
    return sum(calls.values()) / (ended - began)


def _calls(client: redis.Redis) -> dict[str, int]:
    stats: Any = client.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): each["calls"]
        for name, each in stats.items()
        if name != "cmdstat_info"  # our own
    }


def measure(stage: Stage, effort: Effort) -> Found:
    """Count for every worker once: there is little noise in it."""
    samples = in_turn(
        "idle",
        "commands/s",
        {
            each.name: partial(commands_per_second, stage, each, effort.idle_s)
            for each in (ARQ_DEFAULTS, ARQ, SAQ, HOOKYARD)
        },
        rounds=1,
    )
    mine, what = samples[HOOKYARD.name], "Redis commands of an idle worker"
    rows = [row(what, mine, at_most=1.0)]
    rows += [
        row(what, mine, against=other.name, other=samples[other.name]) for other in (ARQ_DEFAULTS, ARQ, SAQ)
    ]
    return rows, {"idle": samples}
