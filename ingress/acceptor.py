"""Where a delivery is kept: in Redis, else in the spool, and back from there as soon as Redis takes it.

While Redis is away nobody waits for it: deliveries go straight to the spool, and one task asks
Redis four times a second whether it is there again. Without a spool every delivery asks Redis itself.
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
from ingress.spool.spool import CannotSpool, Spool

if TYPE_CHECKING:
    from hookyard.ledger.ledger import Ledger
    from hookyard.ledger.records import Delivery
    from ingress.metrics import IngressMetrics
    from ingress.spool.table import Depth

log = structlog.get_logger("ingress")

ASK_AGAIN_S: Final = 0.25
LOOK_S: Final = 2.0
"""How often an idle ingress looks whether a neighbour that died has left anything in the spool."""


class CannotKeep(Exception):
    """Neither Redis nor the spool takes it now; the text says why."""


class Kept(Enum):
    """Where a delivery went."""

    IN_REDIS = "kept"
    IN_SPOOL = "spooled"
    BEFORE = "duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Whether a delivery posted now would be kept; ``fault`` texts are for people."""

    redis_fault: str | None
    spool_fault: str | None
    spool: Depth | None

    @property
    def is_ready(self) -> bool:
        """Whether either takes it."""
        if self.redis_fault is None:
            return True
        return self.spool is not None and self.spool.used_bytes < self.spool.max_bytes * 0.99


class Keeper:
    """Keeps deliveries.

    :param spool: ``None`` to do without.
    :param ledger: one that gives up on Redis in time (``accept_timeout_s``).
    :param timeout_s: for how long Redis may take to say whether it is there.
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
        self._may_drain = asyncio.Event()

    def ask(self, delivery: Delivery) -> asyncio.Future[bool] | None:
        """Ask Redis to keep *delivery*; ``None`` where it is known to be away and there is a spool.

        Who awaits it himself gives it to :meth:`keep` if it fails, and tells :meth:`kept` if not.
        """
        return None if self._outage.is_on and self._spool else self._ledger.accept(delivery)

    def kept(self, *, new: bool) -> Kept:
        """Note that Redis has it."""
        self._outage.found()
        return Kept.IN_REDIS if new else Kept.BEFORE

    async def keep(self, delivery: Delivery, asked: asyncio.Future[bool] | None = None) -> Kept:
        """Keep *delivery*: it survives a crash of anything when this returns.

        :param asked: what :meth:`ask` gave for it, if it was asked already.
        :raises CannotKeep: when nothing takes it.
        """
        fault = "Redis is away"
        if asked is None:
            asked = self.ask(delivery)
        if asked is not None:
            try:
                return self.kept(new=await asked)
            except Exception as exc:
                if not is_redis_away(exc):
                    raise
                self._outage.lost(exc)
                fault = f"Redis is away ({type(exc).__name__})"
        if self._spool is None:
            raise CannotKeep(f"{fault}, and there is no spool")
        try:
            new = await self._spool.put(delivery)
        except CannotSpool as exc:
            self._note_spool(exc)
            raise CannotKeep(f"{fault}, and {exc}") from exc
        self._note_spool(None)
        self._may_drain.set()
        return Kept.IN_SPOOL if new else Kept.BEFORE

    async def look_after(self) -> None:
        """Find Redis again when it was lost, and drain the spool; runs until it is cancelled.

        It asks at once, so that a Redis that is not there is told at start and not at the first delivery.
        """
        asks = True
        while True:
            try:
                if asks or self._outage.is_on:
                    await self._ask_redis()
                if self._spool is not None and not self._outage.is_on:
                    await self._drain(self._spool)
            except Exception:
                log.exception("looking after the spool failed")
            asks = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN_S if self._outage.is_on else LOOK_S):
                    await self._may_drain.wait()
                    self._may_drain.clear()
                    await asyncio.sleep(ASK_AGAIN_S)  # what was spooled was spooled because Redis is away

    async def readiness(self) -> Readiness:
        """Return whether a delivery would be kept now, asking Redis and the disk."""
        redis_fault = await self._ask_redis()
        depth, spool_fault = None, None
        if self._spool is not None:
            try:
                depth = await self._spool.depth()
            except CannotSpool as exc:
                spool_fault = str(exc)
        return Readiness(redis_fault=redis_fault, spool_fault=spool_fault, spool=depth)

    async def _ask_redis(self) -> str | None:
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
            drained = await spool.drain(self._hand_on)
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

    async def _hand_on(self, delivery: Delivery) -> None:
        await self._ledger.accept(delivery)
        self._drained.inc()

    def _note_spool(self, error: CannotSpool | None) -> None:
        """Log one line when the spool fails and one when it works again."""
        if error and not self._spool_is_broken:
            log.error("the spool takes nothing", error=str(error))
        elif not error and self._spool_is_broken:
            log.info("the spool works again")
        self._spool_is_broken = error is not None
