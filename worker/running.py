"""The deliveries that a worker has claimed: runs each, keeps its lease, settles it.

Cancelling a run means "hand it back" (arq cancels when a drain has lasted long enough), unless its
lease was lost: then nothing is written, since the delivery is somebody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from hookyard import policy_of
from hookyard.ledger.claims import Settlement, Unreadable
from hookyard.ledger.records import Record, State
from hookyard.telemetry import logs
from worker.dispatch import LeaseLost
from worker.settling import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookyard.ledger.ledger import Ledger
    from hookyard.telemetry.redis_outage import Outage
    from worker.dispatch import ActiveRun, Dispatcher
    from worker.lease_keeper import LeaseKeeper

log = logs.get_logger("worker")

TASK_PREFIX: Final = "delivery "
"""A delivery's task is named by this and its id."""


class Running:
    """Runs claimed deliveries.

    :param on_handled: told when a delivery's handlers have ended and only the settling is left.
    :param may_stop: asked while Redis is away: whether to give up settling.
    """

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        leases: LeaseKeeper,
        *,
        outage: Outage,
        may_stop: Callable[[], bool],
        on_handled: Callable[[], None] = lambda: None,
    ) -> None:
        self.settling = 0
        self.runs: dict[str, ActiveRun] = {}
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._metrics = dispatcher.metrics
        self._metrics.running.set_function(lambda: len(self.runs))
        self._leases = leases
        self._outage = outage
        self._may_stop = may_stop
        self._on_handled = on_handled
        self._lost: set[str] = set()

    @property
    def has_quarantined(self) -> bool:
        """Whether one of them is from the quarantine."""
        return any(run.record.alone for run in self.runs.values())

    async def run(self, record: Record) -> State | None:
        """Run one delivery and settle it; gives its new state, ``None`` when the lease was lost.

        Never raises for what a handler did, nor for being cancelled.
        """
        delivery_id, token = record.delivery.id, record.token
        run = self.runs[delivery_id]
        try:
            try:
                settlement = await run.finish()
            except asyncio.CancelledError:
                if delivery_id in self._lost:
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
            run.log.warning("lease lost: another worker has the delivery, or it was discarded")
            return None
        finally:
            if self.runs.get(delivery_id) is run:
                del self.runs[delivery_id]
            self._lost.discard(delivery_id)
            self._leases.let_go(delivery_id, token)

    def begin(self, record: Record, *, since: float) -> None:
        """Take responsibility for a delivery that was claimed; ``run`` follows.

        :param since: when the claim was asked for, on the monotonic clock.
        """
        self._metrics.claimed(record)
        self.runs[record.delivery.id] = self._dispatcher.start(record)
        self._leases.hold(record.delivery.id, record.token, since=since)

    async def refuse(self, unreadable: Unreadable) -> State | None:
        """Fail a delivery whose record cannot be read."""
        self._metrics.claimed(None)
        log.error("delivery cannot be read", delivery_id=unreadable.delivery_id, error=unreadable.error)
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

    def handler_of(self, task_name: str) -> tuple[str | None, float]:
        """Return the handler that the delivery's task of this name runs, and the seconds it may take."""
        run = self.runs.get(task_name.removeprefix(TASK_PREFIX))
        handler = run.handler if run else None
        default_s = self._dispatcher.terms.timeout_s
        if handler is None:
            return None, default_s
        return handler.name, policy_of(handler.call).timeout_s or default_s

    def lose(self, leases: list[tuple[str, str]], stop: Callable[[str], None]) -> None:
        """Stop the runs whose lease is lost; *stop* cancels a delivery's task."""
        for delivery_id, token in leases:
            run = self.runs.get(delivery_id)
            if run is not None and run.record.token == token:
                self._lost.add(delivery_id)
                stop(delivery_id)

    async def _settle(self, settlement: Settlement) -> State:
        """Write a try's end down; being cancelled meanwhile does not undo what the handlers did.

        :raises LeaseLost: when another worker has the delivery by now.
        """
        first = self._ledger.settle(settlement)
        try:
            # nearly always all there is to it; a task for each would cost more than the rest
            written = await asyncio.shield(first)
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
        writing = asyncio.ensure_future(
            settle(self._ledger, settlement, first, outage=self._outage, may_stop=self._may_stop)
        )
        while not writing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([writing])
        writing.result()
