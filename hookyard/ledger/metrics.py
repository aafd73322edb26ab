"""What the ledger holds just now, as any process tells it to Prometheus: all of them say the same.

Their names begin with ``hookyard_ledger_``, and over processes one takes the largest, never the sum. Asked
when a process is scraped, at most once a second; from a thread, so that no event loop has to be free.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError, ResponseError

from hookyard.ledger.heartbeats import GONE_AFTER_MS
from hookyard.ledger.records import State
from hookyard.redis.client import open_sync_redis
from hookyard.telemetry.metrics import gauge, gauges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from hookyard.ledger.keys import LedgerKeys

_KEPT_S: Final = 1.0
_LOOKED_AT: Final = 100
"""So many of those that are due longest are asked for their state. What stands behind them has been due for
less, so the longest of all is always right."""

_UNFINISHED: Final = (State.QUEUED, State.RETRYING, State.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """What the ledger holds; ``due_s`` says how long the longest-waiting of a state has been due."""

    states: dict[str, float]
    due_s: dict[str, float]
    workers: int
    used_bytes: int | None
    max_bytes: int | None


class LedgerFigures:
    """Reads it. Blocking; for threads.

    :param timeout_s: how long Redis may take for one answer.
    """

    def __init__(self, url: str, keys: LedgerKeys, *, timeout_s: float) -> None:
        self._redis = open_sync_redis(url, timeout_s=timeout_s, connect_timeout_s=timeout_s)
        self._keys = keys
        self._lock = threading.Lock()
        self._read_at = -_KEPT_S
        self._held: Holdings | None = None

    def families(self) -> list[Metric]:
        """Return what a scrape shows; where Redis does not answer, only that."""
        with self._lock:
            if time.monotonic() - self._read_at >= _KEPT_S:
                self._held = self._read()
                self._read_at = time.monotonic()
            return list(_families(self._held))

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _read(self) -> Holdings | None:
        try:
            return self._ask()
        except (RedisError, OSError):
            return None

    def _ask(self) -> Holdings:
        keys = self._keys
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(keys.states)
            pipe.zrange(keys.workers, 0, -1, withscores=True)
            pipe.zrange(keys.queue, 0, _LOOKED_AT - 1, withscores=True)
            pipe.info("memory")
            (seconds, micros), counts, workers, head, memory = pipe.execute(raise_on_error=False)
        for answer in (counts, workers, head):
            if isinstance(answer, Exception):
                raise answer
        now_ms = seconds * 1000 + micros / 1000
        known: dict[str, Any] = {} if isinstance(memory, ResponseError) else memory  # INFO may be refused
        return Holdings(
            states={state.value: float(counts.get(state.value.encode(), 0)) for state in State},
            due_s=self._due_s([(member, score) for member, score in head if score <= now_ms], now_ms),
            workers=sum(1 for _, said_ms in workers if said_ms > now_ms - GONE_AFTER_MS),
            used_bytes=known.get("used_memory"),
            max_bytes=known.get("maxmemory"),
        )

    def _due_s(self, due: list[tuple[bytes, float]], now_ms: float) -> dict[str, float]:
        longest = dict.fromkeys((state.value for state in _UNFINISHED), 0.0)
        with self._redis.pipeline(transaction=False) as pipe:
            for member, _ in due:
                pipe.hget(self._keys.delivery(member.decode()), "state")
            states = pipe.execute() if due else []
        for (_, score), state in zip(due, states, strict=True):
            name = (state or b"").decode()  # arq's cron jobs have none
            if name in longest:
                longest[name] = max(longest[name], (now_ms - score) / 1000)
        return longest


def _families(held: Holdings | None) -> Iterator[Metric]:
    yield gauge(
        "hookyard_ledger_answers",
        "1 where the ledger could be read for this scrape, else 0",
        held is not None,
    )
    if held is None:
        return
    yield gauges("hookyard_ledger_deliveries", "Deliveries kept, by state", "state", held.states)
    yield gauges(
        "hookyard_ledger_due_seconds",
        "For how long the longest-waiting delivery of a state has been due; 0 when none is",
        "state",
        held.due_s,
    )
    yield gauge("hookyard_ledger_workers", "Workers that said of late that they live", held.workers)
    if held.used_bytes is not None and held.max_bytes is not None:
        yield gauge("hookyard_ledger_memory_used_bytes", "Memory that Redis uses", held.used_bytes)
        yield gauge(
            "hookyard_ledger_memory_max_bytes", "Memory that Redis may use; 0: not bounded", held.max_bytes
        )
