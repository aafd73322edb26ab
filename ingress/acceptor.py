"""Accepting a delivery: Redis takes it, or else the spool until Redis can.

While Redis is away no delivery waits for it: they go straight to the spool, and one task asks Redis
four times a second whether it is back. Without a spool every delivery asks Redis itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

import structlog

from hookyard.redis.errors import is_redis_away
from hookyard.telemetry.redis_outage import Outage
from ingress.spool.spool import CannotSpool

if TYPE_CHECKING:
    from hookyard.ledger.ledger import Ledger
    from hookyard.ledger.records import Delivery
    from ingress.metrics import IngressMetrics
    from ingress.spool.spool import Spool
    from ingress.spool.table import Depth

log = structlog.get_logger("ingress")

PROBE_S: Final = 0.25
"""The pause between two probes of a Redis that is away."""

LOOK_S: Final = 2.0
"""How often an idle ingress looks whether another process that crashed left anything in the spool."""

SPOOL_S: Final = 4.0
"""A disk that takes longer to confirm has the delivery refused, since GitLab hangs up after 10 s; if it was
written all the same, it is handled."""

_FULL: Final = 0.99


class NotAccepted(Exception):
    """Neither Redis nor the spool takes the delivery now; the text says why."""


class Accepted(Enum):
    """The way in which a delivery was accepted; values are the reasons in metrics."""

    NEW = "kept"
    SPOOLED = "spooled"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Whether a delivery posted now would be accepted; faults are texts for people."""

    redis_fault: str | None
    spool_fault: str | None
    spool: Depth | None

    @property
    def is_ready(self) -> bool:
        """Whether Redis or the spool takes deliveries."""
        if self.redis_fault is None:
            return True
        return self.spool is not None and self.spool.used_bytes < self.spool.max_bytes * _FULL


class Acceptor:
    """Accepts deliveries.

    :param spool: ``None`` to do without.
    :param ledger: one that gives up on Redis in time (``accept_timeout_s``).
    :param timeout_s: time limit of a probe.
    """

    def __init__(
        self, ledger: Ledger, spool: Spool | None, *, timeout_s: float, metrics: IngressMetrics
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._timeout_s = timeout_s
        self._outage = Outage(log, metrics.redis_away)
        self._drained = metrics.drained
        self._spool_is_broken = False
        self._spooled = asyncio.Event()

    async def accept(self, delivery: Delivery) -> Accepted:
        """Accept *delivery*: when this returns, it survives a crash of anything.

        :raises NotAccepted: when nothing takes it.
        """
        if self._outage.is_on and self._spool is not None:
            return await self._put_in_spool(delivery, "Redis is away")
        try:
            is_new = await self._ledger.accept(delivery)
        except Exception as exc:
            if not is_redis_away(exc):
                raise
            self._outage.lost(exc)
            return await self._put_in_spool(delivery, f"Redis is away ({type(exc).__name__})")
        if self._outage.is_on:
            self._outage.found()
        return Accepted.NEW if is_new else Accepted.DUPLICATE

    async def maintain(self) -> None:
        """Notice when Redis is back, and drain the spool; runs until it is cancelled.

        It probes Redis at once, so that one that is missing at start is logged before the first delivery.
        """
        is_start = True
        while True:
            try:
                if is_start or self._outage.is_on:
                    await self._probe()
                if self._spool is not None and not self._outage.is_on:
                    await self._drain(self._spool)
            except Exception:
                log.exception("maintaining the spool failed")
            is_start = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_S if self._outage.is_on else LOOK_S):
                    await self._spooled.wait()
                    self._spooled.clear()
                    await asyncio.sleep(PROBE_S)  # a delivery was spooled because Redis is away

    async def readiness(self) -> Readiness:
        """Return whether a delivery would be accepted now, asking Redis and the disk."""
        redis_fault = await self._probe()
        depth, spool_fault = None, None
        if self._spool is not None:
            try:
                depth = await self._spool.depth()
            except CannotSpool as exc:
                spool_fault = str(exc)
        return Readiness(redis_fault=redis_fault, spool_fault=spool_fault, spool=depth)

    async def _put_in_spool(self, delivery: Delivery, fault: str) -> Accepted:
        if self._spool is None:
            raise NotAccepted(f"{fault}, and there is no spool")
        try:
            async with asyncio.timeout(SPOOL_S):
                is_new = await self._spool.put(delivery)
        except (CannotSpool, TimeoutError) as exc:
            error = exc if isinstance(exc, CannotSpool) else CannotSpool(f"its disk took over {SPOOL_S:g} s")
            self._note_spool(error)
            raise NotAccepted(f"{fault}, and {error}") from exc
        self._note_spool(None)
        self._spooled.set()
        return Accepted.SPOOLED if is_new else Accepted.DUPLICATE

    async def _probe(self) -> str | None:
        """Return why Redis takes no delivery now, or ``None``."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._ledger.probe()
        except Exception as exc:
            if not is_redis_away(exc):
                raise
            self._outage.lost(exc)
            return f"{type(exc).__name__}: {exc}"
        self._outage.found()
        return None

    async def _drain(self, spool: Spool) -> None:
        try:
            drained = await spool.drain(self._accept_spooled)
        except CannotSpool as exc:
            self._note_spool(exc)
        except Exception as exc:
            if not is_redis_away(exc):
                log.exception("draining the spool failed")
            else:
                self._outage.lost(exc)
        else:
            if drained:
                log.info("spool drained", deliveries=drained)

    async def _accept_spooled(self, delivery: Delivery) -> None:
        await self._ledger.accept(delivery)
        self._drained.inc()

    def _note_spool(self, error: CannotSpool | None) -> None:
        """Log one line when the spool fails and one when it works again."""
        if error and not self._spool_is_broken:
            log.error("the spool takes nothing", error=str(error))
        elif not error and self._spool_is_broken:
            log.info("the spool works again")
        self._spool_is_broken = error is not None
