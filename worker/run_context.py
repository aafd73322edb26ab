"""What every run of a worker needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hookyard.ledger.records import Run
    from hookyard.settings.settings import Settings
    from hookyard.telemetry.redis_outage import Outage
    from worker.hosts.pool import HostPool
    from worker.lease_keeper import LeaseKeeper
    from worker.metrics import WorkerMetrics


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """What every run needs.

    ``checkpoint`` records a run as far as it got, renews its lease, and says whether it still holds;
    ``redis_now_ms`` is Redis's clock.
    """

    pool: HostPool
    checkpoint: Callable[[str, str, Run], Awaitable[bool]]
    redis_now_ms: Callable[[], int]
    leases: LeaseKeeper
    settings: Settings
    metrics: WorkerMetrics
    outage: Outage
    worker: str
