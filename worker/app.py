"""Put a worker together from settings and run it: ledger, leases, hosts, supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hookyard.ledger.gates import Gates
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import CLAIM_TIMEOUT_S, Ledger
from hookyard.ledger.metrics import LedgerMetrics
from hookyard.redis.client import open_redis
from hookyard.redis.errors import is_redis_away
from hookyard.settings.unknown import unknown_variables
from hookyard.telemetry import logs
from hookyard.telemetry.redis_outage import Outage
from worker.hosts.handle import BotUnusable
from worker.hosts.pool import HostPool
from worker.hosts.start import LocalHosts, ProcessHosts
from worker.housekeeping import pruner
from worker.lease_keeper import LeaseKeeper
from worker.metrics import WorkerMetrics
from worker.metrics_server import MetricsServer
from worker.run_context import RunContext
from worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gidgetlab.routing import Router

    from hookyard.settings.settings import Settings
    from worker.hosts.handle import Listener
    from worker.hosts.start import Starter

log = logs.get_logger("worker")


def worker_name() -> str:
    """Return a name for this process in records and logs: host, process id, and a part by chance."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(2).hex()}"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a worker of either kind runs deliveries with."""

    ledger: Ledger
    context: RunContext
    metrics: WorkerMetrics


def make_parts(
    settings: Settings,
    *,
    name: str,
    router: Router | None = None,
    make_starter: Callable[[Settings, Listener], Starter] = ProcessHosts,
) -> Parts:
    """Return the parts, in the loop that will use them; nothing is connected or started before it is used.

    :param router: run its handlers in this process, instead of HOOKYARD_HANDLERS in host processes.
    :param make_starter: how hosts are started where there is no *router*.
    """
    # a settle is answered by Redis or sent again, so it may take longer than an ingress could wait
    ledger = Ledger(
        open_redis(settings.redis_url, timeout_s=max(CLAIM_TIMEOUT_S, settings.redis_timeout_s)),
        LedgerKeys(prefix=settings.prefix),
        lease_ms=settings.lease_ms,
        max_crashes=settings.max_crashes,
    )
    metrics = WorkerMetrics(slots=settings.slots)
    starter: Starter = (
        make_starter(settings, metrics) if router is None else LocalHosts(settings, metrics, router)
    )
    pool = starter.pool = HostPool(
        starter.start,
        count=settings.host_count if router is None else 1,
        max_attempts=settings.host_max_attempts,
        max_memory_bytes=settings.host_max_memory_bytes,
        replaced=metrics.host_replaced,
    )
    metrics.watch(pool)
    context = RunContext(
        pool=pool,
        checkpoint=ledger.checkpoint,
        gates=Gates(ledger.scripts, ledger.keys),
        redis_now_ms=ledger.redis_now_ms,
        leases=LeaseKeeper(ledger.renew, lease_ms=settings.lease_ms),
        settings=settings,
        metrics=metrics,
        outage=Outage(log, metrics.redis_away),
        worker=name,
    )
    return Parts(ledger=ledger, context=context, metrics=metrics)


def make_supervisor(
    settings: Settings,
    parts: Parts,
    *,
    burst: bool = False,
    handle_signals: bool = True,
    ticks: bool = True,
) -> Supervisor:
    """Return a worker that is ready to run, in the loop that will run it."""
    return Supervisor(
        ledger=parts.ledger,
        wake_up_redis=open_redis(settings.redis_url, timeout_s=None),
        context=parts.context,
        slots=settings.slots,
        lease_ms=settings.lease_ms,
        drain_s=settings.drain_s,
        prune=pruner(settings, parts.ledger),
        burst=burst,
        handle_signals=handle_signals,
        ticks=ticks,
        reload=settings.reload,
    )


async def serve(settings: Settings, *, burst: bool = False, router: Router | None = None) -> None:
    """Run a worker until a signal ends it; in burst mode until the queue is empty.

    :raises BotUnusable: when the handlers cannot be run.
    """
    for warning in unknown_variables():
        log.warning(warning)
    name = worker_name()
    parts = make_parts(settings, name=name, router=router)
    with _scraped(settings, parts):
        await _serve(settings, parts, burst=burst)


@contextlib.contextmanager
def _scraped(settings: Settings, parts: Parts) -> Iterator[None]:
    """Answer ``/metrics`` and ``/health`` meanwhile, where a port is set for that."""
    if not settings.metrics_port:
        yield
        return
    registry = parts.metrics.registry
    ledger = LedgerMetrics(
        registry, settings.redis_url, parts.ledger.keys, timeout_s=settings.redis_timeout_s
    )
    server = MetricsServer(registry, fault=lambda: parts.context.pool.fault)
    server.start(settings.host, settings.metrics_port)
    try:
        yield
    finally:
        server.stop()
        ledger.close()


async def _serve(settings: Settings, parts: Parts, *, burst: bool) -> None:
    await _await_redis(parts.ledger, settings)
    supervisor = make_supervisor(settings, parts, burst=burst)
    try:
        with contextlib.suppress(asyncio.CancelledError):  # how arq ends a worker on a signal
            await supervisor.async_run()
    finally:
        await supervisor.close()
        log.info("worker stopped", worker=supervisor.name)


async def _await_redis(ledger: Ledger, settings: Settings) -> None:
    """Wait for Redis, however long; log once that it is missing and where it was looked for."""
    told = False
    while True:
        try:
            await ledger.redis.ping()
        except Exception as exc:
            if not is_redis_away(exc):
                raise
            if not told:
                log.warning(
                    "Redis unreachable, retrying",
                    url=settings.masked_redis_url,
                    error=f"{type(exc).__name__}: {exc}",
                )
                told = True
            await asyncio.sleep(0.5)
        else:
            return


__all__ = ["BotUnusable", "Parts", "make_parts", "make_supervisor", "serve", "worker_name"]
