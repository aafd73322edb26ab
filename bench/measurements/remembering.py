"""Redis memory per waiting delivery with a 3 KB payload, everything counted: keys, queue, indexes."""

from __future__ import annotations

import asyncio
import random
import statistics
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench import payloads
from bench.contenders import HOOKYARD
from bench.contenders.filling import a_delivery, accept
from bench.report import row
from bench.stage import Stage, client_of
from bench.turns import in_turn

if TYPE_CHECKING:
    from bench.measurements.effort import Effort, Found

_SIZE: Final = range(2_700, 3_300)
_KB: Final = 3_000


def bytes_each(stage: Stage, bodies: list[tuple[str, bytes]]) -> float:
    """Accept these and see by how much Redis grew, scaled to a body of exactly 3,000 bytes."""
    with stage.redis() as url, client_of(url) as client:
        before = _used(client)
        ids = payloads.fresh_ids(random.Random(3), len(bodies))  # noqa: S311 - ids, not secrets
        asyncio.run(
            accept(url, (a_delivery(one, name, body) for one, (name, body) in zip(ids, bodies, strict=True)))
        )
        grown = (_used(client) - before) / len(bodies)
    return grown * _KB / statistics.mean(len(body) for _, body in bodies)


def _used(client: Any) -> int:
    """Return what the data takes: without client buffers and the append-only file's."""
    stats = client.info("memory")
    return int(stats["used_memory"]) - int(stats["mem_clients_normal"]) - int(stats["mem_aof_buffer"])


def measure(stage: Stage, effort: Effort) -> Found:
    """Measure once: memory does not vary."""
    made = payloads.make(effort.count * 5, seed=23)
    bodies = [(name, body) for name, body in made if len(body) in _SIZE][: effort.count]
    samples = in_turn("memory", "bytes", {HOOKYARD.name: partial(bytes_each, stage, bodies)}, rounds=1)
    what = f"Redis memory per waiting delivery ({len(bodies):,} of 3 KB)"
    rows = [row(what, samples[HOOKYARD.name], against="3 KB", other=float(_KB), at_most=1.0)]
    return rows, {"memory": samples}
