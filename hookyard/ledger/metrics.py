"""Metrics of the ledger, read from Redis at a scrape; every process reports the same values.

Their names begin with ``hookyard_ledger_``; over processes, take ``max``, never ``sum``.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.registry import Collector
from redis.exceptions import RedisError, ResponseError

from hookyard.ledger.heartbeats import GONE_AFTER_MS
from hookyard.ledger.records import State
from hookyard.redis.client import open_sync_redis
from hookyard.telemetry.metrics import gauge, gauges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from hookyard.ledger.keys import LedgerKeys
    from hookyard.telemetry.metrics import Registry

_CACHED_S: Final = 1.0
_HEAD: Final = 100
"""How many of the longest-due deliveries are read. Those behind them have been due for less, so the largest
value over all states is always exact."""

_UNFINISHED: Final = (State.QUEUED, State.WAITING, State.RETRYING, State.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The ledger at one moment; ``due_s`` says how long a state's longest-due delivery has been due.

    ``quarantined``: how many of those queued wait to be run alone.
    """

    states: dict[str, float]
    due_s: dict[str, float]
    workers: int
    quarantined: int
    used_bytes: int | None
    max_bytes: int | None


class LedgerMetrics(Collector):
    """Reads the ledger at most once a second. Blocking, so that no event loop has to be free; for threads.

    :param timeout_s: how long Redis may take for one answer.
    """

    def __init__(self, registry: Registry, url: str, keys: LedgerKeys, *, timeout_s: float) -> None:
        self._redis = open_sync_redis(url, timeout_s=timeout_s, connect_timeout_s=timeout_s)
        self._keys = keys
        self._lock = threading.Lock()
        self._read_at = -_CACHED_S
        self._snapshot: Snapshot | None = None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; where Redis does not answer, only that it does not."""
        with self._lock:
            if time.monotonic() - self._read_at >= _CACHED_S:
                self._snapshot = self._read()
                self._read_at = time.monotonic()
            snapshot = self._snapshot
        yield from _metrics(snapshot)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _read(self) -> Snapshot | None:
        try:
            return self._ask()
        except (RedisError, OSError):
            return None

    def _ask(self) -> Snapshot:
        keys = self._keys
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(keys.states)
            pipe.zrange(keys.workers, 0, -1, withscores=True)
            pipe.zrange(keys.queue, 0, _HEAD - 1, withscores=True)
            pipe.zcard(keys.quarantine)
            pipe.info("memory")
            (seconds, micros), counts, workers, head, quarantined, memory = pipe.execute(raise_on_error=False)
        for answer in (counts, workers, head, quarantined):
            if isinstance(answer, Exception):
                raise answer
        now_ms = seconds * 1000 + micros / 1000
        known: dict[str, Any] = {} if isinstance(memory, ResponseError) else memory  # INFO may be refused
        return Snapshot(
            states={state.value: float(counts.get(state.value.encode(), 0)) for state in State},
            due_s=self._due_s([(member, score) for member, score in head if score <= now_ms], now_ms),
            workers=sum(1 for _, said_ms in workers if said_ms > now_ms - GONE_AFTER_MS),
            quarantined=quarantined,
            used_bytes=known.get("used_memory"),
            max_bytes=known.get("maxmemory"),
        )

    def _due_s(self, due: list[tuple[bytes, float]], now_ms: float) -> dict[str, float]:
        longest = dict.fromkeys((state.value for state in _UNFINISHED), 0.0)
        with self._redis.pipeline(transaction=False) as pipe:
            for member, _ in due:
                pipe.hget(self._keys.delivery(member.decode(errors="replace")), "state")
            states = pipe.execute() if due else []
        for (_, score), state in zip(due, states, strict=True):
            name = (state or b"").decode()  # arq's cron jobs have none
            if name in longest:
                longest[name] = max(longest[name], (now_ms - score) / 1000)
        return longest


def _metrics(found: Snapshot | None) -> Iterator[Metric]:
    yield gauge(
        "hookyard_ledger_answers",
        "1 if the ledger could be read for this scrape, else 0",
        found is not None,
    )
    if found is None:
        return
    yield gauges("hookyard_ledger_deliveries", "Deliveries in the ledger, by state", "state", found.states)
    yield gauges(
        "hookyard_ledger_due_seconds",
        "For how long the longest-due delivery of a state has been due; 0 if none is",
        "state",
        found.due_s,
    )
    yield gauge("hookyard_ledger_workers", "Workers with a recent heartbeat", found.workers)
    yield gauge(
        "hookyard_ledger_quarantined",
        "Deliveries that are suspected of having crashed their worker, and wait to run alone",
        found.quarantined,
    )
    if found.used_bytes is not None and found.max_bytes is not None:
        yield gauge("hookyard_ledger_memory_used_bytes", "Memory that Redis uses", found.used_bytes)
        yield gauge(
            "hookyard_ledger_memory_max_bytes", "Memory that Redis may use; 0 if unlimited", found.max_bytes
        )
