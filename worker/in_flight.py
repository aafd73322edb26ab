"""The deliveries that a worker has claimed: run each, keep its lease, settle it.

Cancelling a run releases the delivery (arq cancels when a drain has lasted long enough), unless its lease
was lost: then nothing is written, since the delivery is another worker's.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from hookyard.ledger.claims import Settlement, Unreadable
from hookyard.ledger.records import Record, State
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs
from worker.run import ActiveRun, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookyard.ledger.ledger import Ledger
    from worker.run_context import RunContext

log = logs.get_logger("worker")

_PAUSES_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


class InFlight:
    """Runs claimed deliveries.

    :param may_stop: asked while Redis is away: whether to give up settling.
    :param on_handled: called when a delivery's handlers have ended and only the settling is left.
    """

    def __init__(
        self,
        ledger: Ledger,
        context: RunContext,
        *,
        may_stop: Callable[[], bool] = lambda: False,
        on_handled: Callable[[], None] = lambda: None,
    ) -> None:
        self.settling = 0
        self.runs: dict[str, ActiveRun] = {}
        self._ledger = ledger
        self._context = context
        self._metrics = context.metrics
        self._metrics.running.set_function(lambda: len(self.runs))
        self._may_stop = may_stop
        self._on_handled = on_handled
        self._lost: set[str] = set()
        self._begun = 0

    def begin(self, record: Record, *, since_s: float) -> None:
        """Take responsibility for a delivery that was claimed; :meth:`run` follows.

        :param since_s: when the claim was asked for, on the leases' clock.
        """
        self._begun += 1
        self._metrics.claimed(record)
        self._context.leases.hold(record.delivery.id, record.token, since_s=since_s)
        self.runs[record.delivery.id] = ActiveRun(self._context, record, self._begun)

    async def run(self, record: Record) -> State | None:
        """Run one delivery and settle it; return its new state, ``None`` when the lease was lost.

        Never raises for what a handler did, nor for being cancelled.
        """
        delivery_id = record.delivery.id
        run = self.runs[delivery_id]
        try:
            try:
                settlement = await run.finish()
            except asyncio.CancelledError:
                if record.token in self._lost:
                    raise LeaseLost from None
                settlement = run.release()
            self.settling += 1
            self._on_handled()
            try:
                return await self._settle(settlement)
            finally:
                self.settling -= 1
        except LeaseLost:
            self._metrics.leases_lost.inc()
            log.warning(
                "lease lost: another worker has the delivery, or it was discarded", delivery_id=delivery_id
            )
            return None
        finally:
            if self.runs.get(delivery_id) is run:
                del self.runs[delivery_id]
            self._lost.discard(record.token)
            self._context.leases.drop(delivery_id, record.token)

    async def refuse(self, unreadable: Unreadable) -> State | None:
        """Fail a delivery whose record cannot be read."""
        self._metrics.claimed(None)
        log.error("record cannot be read", delivery_id=unreadable.delivery_id, error=unreadable.error)
        try:
            return await self._settle(
                Settlement(
                    delivery_id=unreadable.delivery_id,
                    token=unreadable.token,
                    state=State.FAILED,
                    error=unreadable.error,
                )
            )
        except LeaseLost:
            self._metrics.leases_lost.inc()
            return None

    def lose(self, delivery_id: str, token: str) -> bool:
        """Note that a lease is lost; return whether a run of this worker's has to be cancelled for it."""
        run = self.runs.get(delivery_id)
        if run is None or run.record.token != token:
            return False
        self._lost.add(token)
        return True

    async def _settle(self, settlement: Settlement) -> State:
        """Write the end of a run; being cancelled meanwhile does not undo what the handlers did.

        :raises LeaseLost: when another worker has the delivery by now.
        """
        first = self._ledger.settle(settlement)
        try:
            # nearly always all there is to it; a task for each would cost more than the rest
            written = await first
        except (RedisError, OSError, asyncio.CancelledError):
            await self._insist(settlement, first)
        else:
            if not written:
                raise LeaseLost
        self._metrics.runs[settlement.state].inc()
        if settlement.state is State.FAILED:
            log.error("delivery failed", delivery_id=settlement.delivery_id)
        return settlement.state

    async def _insist(self, settlement: Settlement, first: asyncio.Future[bool]) -> None:
        """Go on settling where *first* has not done it, however often this task is cancelled."""
        writing = asyncio.ensure_future(self._settle_again(settlement, first))
        while not writing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([writing])
        writing.result()

    async def _settle_again(self, settlement: Settlement, first: asyncio.Future[bool]) -> None:
        """Settle as often as it takes; what a handler did is not forgotten because Redis was restarted.

        :param first: the first try, which is under way or has failed.
        :raises LeaseLost: when another worker has the delivery, or this one stops before Redis is back.
        """
        failures, writing = 0, first
        while True:
            try:
                written = await writing
            except Exception as exc:
                if not is_redis_away(exc):
                    raise
                self._context.outage.lost(exc)
                if self._may_stop():
                    raise LeaseLost from exc
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
                writing = self._ledger.settle(settlement)
            else:
                if not written:
                    raise LeaseLost
                return
