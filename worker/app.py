"""Puts a worker together from settings and runs it: clients, handlers, leases, engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
from hookyard.host.invoke import Terms
from hookyard.host.retry import Limits
from hookyard.host.routing import Finder
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import CLAIM_TIMEOUT_S, Ledger
from hookyard.ledger.metrics import LedgerMetrics
from hookyard.redis.client import open_redis
from hookyard.redis.errors import is_redis_away
from hookyard.settings.settings import unknown_variables
from hookyard.telemetry import logs
from worker.dispatch import Dispatcher
from worker.engine import Engine
from worker.housekeeping import housekeeping
from worker.lease_keeper import LeaseKeeper
from worker.metrics import WorkerMetrics
from worker.metrics_server import MetricsServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx
    from arq.cron import CronJob
    from gidgetlab.routing import Router

    from hookyard.settings.settings import Settings

log = logs.get_logger("worker")


def worker_name() -> str:
    """Return a name for this process in records and logs: host, process id, and a part by chance."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(2).hex()}"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a worker of either kind runs deliveries with."""

    ledger: Ledger
    client: httpx.AsyncClient
    dispatcher: Dispatcher
    leases: LeaseKeeper
    threads: ThreadPoolExecutor
    metrics: WorkerMetrics

    async def close(self) -> None:
        """Close the connections to GitLab; a plain ``def`` handler that still runs is left to itself."""
        await self.client.aclose()
        self.threads.shutdown(wait=False, cancel_futures=True)


def make_parts(settings: Settings, router: Router, *, name: str) -> Parts:
    """Return the parts; nothing is connected before it is used."""
    # a settle is answered by Redis or tried again, so it may take longer than an ingress could wait
    ledger = Ledger(
        open_redis(settings.redis_url, timeout_s=max(CLAIM_TIMEOUT_S, settings.redis_timeout_s)),
        LedgerKeys(prefix=settings.prefix),
        lease_ms=settings.lease_ms,
        max_crashes=settings.max_crashes,
    )
    leases = LeaseKeeper(
        settings.redis_url,
        ledger.keys,
        lease_ms=settings.lease_ms,
        timeout_s=min(settings.redis_timeout_s, settings.lease_s / 3),
    )
    client = open_client(settings)
    metrics = WorkerMetrics(slots=settings.slots)
    threads = ThreadPoolExecutor(max_workers=settings.slots, thread_name_prefix="handler")
    dispatcher = Dispatcher(
        finder=Finder(router),
        make_gl=lambda uuid: DeliveryGitLabAPI(
            client, settings, event_uuid=uuid, clock=time.time, metrics=metrics.gitlab
        ),
        checkpoint=ledger.checkpoint,
        leases=leases,
        terms=Terms(
            limits=Limits(
                max_attempts=settings.max_attempts,
                backoff_s=settings.backoff_s,
                max_backoff_s=settings.max_backoff_s,
            ),
            timeout_s=settings.handler_timeout_s,
            jitter=random.random,
            threads=threads,
        ),
        metrics=metrics,
        worker=name,
    )
    return Parts(
        ledger=ledger, client=client, dispatcher=dispatcher, leases=leases, threads=threads, metrics=metrics
    )


def make_engine(
    settings: Settings,
    parts: Parts,
    *,
    name: str,
    burst: bool = False,
    handle_signals: bool = True,
    cron_jobs: Sequence[CronJob] = (),
) -> Engine:
    """Return a worker that is ready to run, in the loop that will run it."""
    return Engine(
        name=name,
        ledger=parts.ledger,
        wake_up_redis=open_redis(settings.redis_url, timeout_s=None),
        dispatcher=parts.dispatcher,
        leases=parts.leases,
        slots=settings.slots,
        lease_ms=settings.lease_ms,
        drain_s=settings.drain_s,
        burst=burst,
        handle_signals=handle_signals,
        cron_jobs=cron_jobs,
    )


async def serve(settings: Settings, router: Router, *, burst: bool = False) -> None:
    """Run a worker until a signal ends it; in burst mode until the queue is empty."""
    for warning in unknown_variables():
        log.warning(warning)
    name = worker_name()
    parts = make_parts(settings, router, name=name)
    with _telling(settings, parts):
        await _serve(settings, parts, name=name, burst=burst)


@contextlib.contextmanager
def _telling(settings: Settings, parts: Parts) -> Iterator[None]:
    """Answer ``/metrics`` and ``/health`` meanwhile, where a port is set for that."""
    if not settings.metrics_port:
        yield
        return
    registry = parts.metrics.registry
    ledger = LedgerMetrics(
        registry, settings.redis_url, parts.ledger.keys, timeout_s=settings.redis_timeout_s
    )
    server = MetricsServer(registry, fault=parts.leases.fault)
    server.start(settings.host, settings.metrics_port)
    try:
        yield
    finally:
        server.stop()
        ledger.close()


async def _serve(settings: Settings, parts: Parts, *, name: str, burst: bool) -> None:
    await _await_redis(parts.ledger, settings)
    engine = make_engine(
        settings,
        parts,
        name=name,
        burst=burst,
        cron_jobs=[] if burst else housekeeping(settings, parts.ledger),
    )
    try:
        with contextlib.suppress(asyncio.CancelledError):  # how arq ends a worker on a signal
            await engine.async_run()
    finally:
        await engine.close()
        await parts.close()
        log.info("worker stopped", worker=name)
        if engine.tasks:
            os._exit(0)  # Python would wait for ever for a handler that swallows its cancellation


async def _await_redis(ledger: Ledger, settings: Settings) -> None:
    """Wait for Redis, however long; says once that it is missing and where it was looked for."""
    missed = False
    while True:
        try:
            await ledger.redis.ping()
        except Exception as exc:
            if not is_redis_away(exc):
                raise
            if not missed:
                log.error("Redis is not there; trying on", redis=settings.masked_redis_url, error=str(exc))
            missed = True
            await asyncio.sleep(0.5)
        else:
            if missed:
                log.info("Redis is there", redis=settings.masked_redis_url)
            return
