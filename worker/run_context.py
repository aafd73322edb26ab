"""What every run of a worker needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hookyard.ledger.gates import Gates
    from hookyard.ledger.records import Delivery, Run
    from hookyard.settings.settings import Settings
    from hookyard.telemetry.redis_outage import Outage
    from worker.hosts.pool import HostPool
    from worker.lease_keeper import LeaseKeeper
    from worker.metrics import WorkerMetrics


class Checkpoint(Protocol):
    """Records a run as far as it got, renews its lease, and says whether it still holds."""

    def __call__(
        self,
        delivery_id: str,
        token: str,
        run: Run,
        *,
        left: Sequence[str] = (),
        enqueued: Sequence[tuple[Delivery, int]] = (),
    ) -> Awaitable[bool]:
        """Record it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """What every run needs.

    ``checkpoint`` is the ledger's; ``redis_now_ms`` is Redis's clock.
    """

    pool: HostPool
    checkpoint: Checkpoint
    gates: Gates
    redis_now_ms: Callable[[], int]
    leases: LeaseKeeper
    settings: Settings
    metrics: WorkerMetrics
    outage: Outage
    worker: str
