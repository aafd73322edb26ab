"""The way to run deliveries with arq's own worker: ``arq worker.arq_worker.WorkerSettings``.

The one module that reads settings when it is imported, because arq's command wants it so. Stock arq
claims one job at a time and polls; records, leases and outcomes are the same, and both kinds of
worker may run side by side.

Stock arq must never finish a delivery's job itself: its clean-up is not atomic with the record, and
could remove what an operator has replayed a moment before. So the function ends in arq's ``Retry``,
by which arq leaves queue and job alone (its log then says "retrying job in 0.00s"); the ledger has
settled them by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from arq.connections import RedisSettings
from arq.worker import Retry, func

from hookyard.cancellation import cancel_and_wait
from hookyard.host.invoke import log_context
from hookyard.host.load import HandlersError, load_router
from hookyard.host.registry import Registry
from hookyard.ledger import heartbeats, keys
from hookyard.redis import arq_serializer
from hookyard.redis.client import close
from hookyard.redis.errors import is_redis_away
from hookyard.redis.urls import parse_sentinel_url
from hookyard.settings.settings import Settings, load_or_exit, worker_faults
from hookyard.telemetry import logs
from worker.app import Parts, make_parts, worker_name
from worker.housekeeping import pruner
from worker.in_flight import InFlight
from worker.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gidgetlab.routing import Router

    from hookyard.ledger.claims import Claims

log = logs.get_logger("worker")

_FOR_EVER = 10**9


class Turns:
    """Has jobs run side by side, but what is quarantined alone: nobody else is to blame for a crash then."""

    def __init__(self) -> None:
        self._beside = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_open = asyncio.Event()
        self._is_open.set()

    @property
    def is_alone_wanted(self) -> bool:
        """Whether no further job may start, since one is to run alone or does."""
        return not self._is_open.is_set()

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Wait until nothing is to run alone; nothing does meanwhile."""
        while self.is_alone_wanted:
            await self._is_open.wait()
        self._beside += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._beside -= 1
            if not self._beside:
                self._is_empty.set()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until all that runs has ended; nothing starts meanwhile."""
        self._is_open.clear()
        try:
            await self._is_empty.wait()
            yield
        finally:
            self._is_open.set()


async def process_delivery(ctx: dict[str, Any], delivery_id: str) -> None:
    """Run one delivery as an arq job: claim it by its id, run its handlers, settle it.

    :raises Retry: always, but when there is no such delivery and arq may clear its job away.
    """
    parts: Parts = ctx["parts"]
    try:
        async with ctx["turns"].beside():
            since_s = parts.context.leases.now_s()
            claims = await parts.ledger.claim(
                worker=ctx["name"],
                limit=1,
                only=delivery_id,
                has_lines=parts.context.pool.has_lines,
            )
            if claims.foreign:
                return
            await _run(ctx, claims, since_s)
    except Exception as exc:
        if is_redis_away(exc):
            parts.context.outage.lost(exc)
        else:
            log.exception("a delivery's job failed", delivery_id=delivery_id)
        # any other ending than Retry would have arq take the delivery out of the queue
        raise Retry from exc
    raise Retry


async def attend(ctx: dict[str, Any]) -> None:
    """Do what stock arq cannot: prune, free locks, run what is quarantined, one at a time; until cancelled.

    arq locks a job for good before it starts the function; a worker that was killed in between would leave
    the delivery to nobody.
    """
    parts: Parts = ctx["parts"]
    prune = pruner(ctx["settings"], parts.ledger)
    pause_s = ctx["settings"].lease_s / 3
    while True:
        try:
            await parts.ledger.unlock()
            await prune()
            parts.context.outage.found()
            if await parts.ledger.is_quarantine_due():
                async with ctx["turns"].alone():
                    await _run_quarantined(ctx)
        except Exception as exc:
            if is_redis_away(exc):
                parts.context.outage.lost(exc)
            else:
                log.exception("attending to the ledger failed")
        await asyncio.sleep(pause_s)


async def _run_quarantined(ctx: dict[str, Any]) -> None:
    parts: Parts = ctx["parts"]
    since_s = parts.context.leases.now_s()
    claims = await parts.ledger.claim_quarantined(worker=ctx["name"])
    for record in claims.records:
        # only what is confirmed counts, should this worker die over it
        if await parts.ledger.confirm(record.delivery.id, record.token):
            log.warning("quarantined delivery runs alone", delivery_id=record.delivery.id)
    await _run(ctx, claims, since_s)


async def _run(ctx: dict[str, Any], claims: Claims, since_s: float) -> None:
    """Run what was claimed; being cancelled meanwhile releases it."""
    in_flight, running = ctx["in_flight"], ctx["running"]
    for unreadable in claims.unreadable:
        await in_flight.refuse(unreadable)
    for record in claims.records:
        in_flight.begin(record, since_s=since_s)
        task = running[record.delivery.id] = asyncio.ensure_future(in_flight.run(record))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:  # arq's, at its end
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            del running[record.delivery.id]


async def start_up(ctx: dict[str, Any]) -> None:
    """Open what the function needs."""
    settings: Settings = ctx["settings"]
    logs.configure("worker", level=settings.log_level, log_format=settings.log_format, context=log_context)
    ctx["name"], ctx["turns"] = worker_name(), Turns()
    parts = ctx["parts"] = make_parts(settings, name=ctx["name"], router=_router(settings))
    ctx["in_flight"] = in_flight = InFlight(parts.ledger, parts.context)
    await parts.context.pool.open()

    def cancel(delivery_id: str, token: str) -> None:
        if in_flight.lose(delivery_id, token):
            running[delivery_id].cancel()

    running: dict[str, asyncio.Task[Any]] = {}
    ctx["running"] = running
    parts.context.leases.on_lost = cancel
    ctx["background"] = [
        asyncio.create_task(parts.context.leases.keep(), name="leases"),
        asyncio.create_task(heartbeats.beat(parts.ledger, ctx["name"]), name="heartbeat"),
        asyncio.create_task(attend(ctx), name="attend"),
        asyncio.create_task(
            Ticker(
                parts.ledger,
                lambda: parts.context.pool.schedules,
                source=next(iter(ctx["settings"].by_source)),
            ).keep(),
            name="schedules",
        ),
    ]


async def shut_down(ctx: dict[str, Any]) -> None:
    """Close it."""
    await asyncio.gather(*(cancel_and_wait(task) for task in ctx["background"]))
    await ctx["parts"].context.pool.close()
    await close(ctx["parts"].ledger.redis)


def _router(settings: Settings) -> Router:
    """Return the bot's router; a fault ends the process with exit code 2, like a wrong setting."""
    try:
        router = load_router(settings.handlers)
    except HandlersError as exc:
        faults: tuple[str, ...] = (str(exc),)
    else:
        faults = Registry(router).faults()
        if not faults:
            return router
    sys.stderr.write("\n".join(faults) + "\n")
    raise SystemExit(2)


def redis_settings(url: str) -> RedisSettings:
    """Return *url* as arq wants it."""
    if not url.startswith("redis+sentinel://"):
        return RedisSettings.from_dsn(url)
    found = parse_sentinel_url(url)
    return RedisSettings(
        host=list(found.addresses),
        sentinel=True,
        sentinel_master=found.master,
        database=found.db,
        username=found.username,
        password=found.password,
    )


def worker_settings(settings: Settings) -> dict[str, Any]:
    """Return the arguments of a stock ``arq.Worker`` that runs deliveries."""
    return {
        "functions": [func(process_delivery, name=keys.FUNCTION, max_tries=_FOR_EVER, timeout=_FOR_EVER)],
        "queue_name": keys.LedgerKeys(prefix=settings.prefix).queue,
        "redis_settings": redis_settings(settings.redis_url),
        "on_startup": start_up,
        "on_shutdown": shut_down,
        "max_jobs": settings.slots,
        "keep_result": 0,
        "job_completion_wait": round(settings.drain_s),
        "job_serializer": arq_serializer.serialize,
        "job_deserializer": arq_serializer.deserialize,
        "ctx": {"settings": settings},
    }


def __getattr__(name: str) -> dict[str, Any]:
    """Read the settings when arq's command asks for ``WorkerSettings`` (PEP 562), not for every import."""
    if name != "WorkerSettings":
        raise AttributeError(name)
    return worker_settings(load_or_exit(worker_faults))
