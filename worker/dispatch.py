"""One try of one delivery: rebuild the event, run the handlers that are due, say what follows.

A handler's outcome is written down before the next handler starts.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from hookyard import CurrentDelivery
from hookyard.gitlab.events import read_event
from hookyard.host.invoke import Terms, now_ms, run_handler
from hookyard.ledger.claims import Settlement
from hookyard.ledger.records import Attempt, Ending, Outcome, Record, Run, State
from hookyard.telemetry import logs
from worker.metrics import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gidgetlab.sansio import Event

    from hookyard.host.routing import Finder, Handler
    from worker.lease_keeper import LeaseKeeper
    from worker.metrics import WorkerMetrics


class LeaseLost(Exception):
    """Another worker has the delivery by now, or it was discarded: what this try came to does not count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatcher:
    """What every try needs.

    ``make_gl`` gives the GitLab client for a delivery with this ``X-Gitlab-Event-UUID``; ``note``
    writes a running try down, prolongs its lease, and says whether it still holds.
    """

    finder: Finder
    make_gl: Callable[[str | None], Any]
    checkpoint: Callable[[str, str, Run], Awaitable[bool]]
    leases: LeaseKeeper
    terms: Terms
    metrics: WorkerMetrics
    worker: str

    def start(self, record: Record) -> ActiveRun:
        """Return the try of a delivery that was just claimed; call its ``finish``."""
        return ActiveRun(self, record)


class ActiveRun:
    """A try under way; ``handler`` is the one that runs just now."""

    def __init__(self, dispatcher: Dispatcher, record: Record) -> None:
        self.record = record
        self.handler: Handler | None = None
        self.log = logs.get_logger("worker", delivery_id=record.delivery.id)  # bound when first used
        self._dispatcher = dispatcher
        self._started_ms = now_ms()
        self._before = record.standings()
        self._attempts: list[Attempt] = []

    async def finish(self) -> Settlement:
        """Run the handlers and return how the try ends.

        :raises LeaseLost: when the delivery is no longer this worker's.
        """
        delivery = self.record.delivery
        try:
            event = read_event(delivery.event, delivery.content_type, delivery.body)
        except Exception as exc:  # noqa: BLE001 - the ingress could parse it; must not stop this worker
            error = f"the event could not be rebuilt: {type(exc).__name__}: {exc}"
            self.log.error("delivery cannot be run", error=type(exc).__name__)
            return self._settlement(State.FAILED, error=error)
        handlers = await self._dispatcher.finder.find(event)
        if not handlers:
            return self._settlement(State.IGNORED)
        due = [handler for handler in handlers if self._is_due(handler.name)]
        gl = self._dispatcher.make_gl(delivery.event_uuid)
        for handler in due:
            await self._run(handler, event, gl)
        return self._conclude([handler.name for handler in handlers])

    def release(self) -> Settlement:
        """Return the settlement that gives the delivery back; what its handlers came to so far is kept."""
        return self._settlement(State.QUEUED, error=self.record.error, ending=Ending.RELEASED)

    async def _run(self, handler: Handler, event: Event, gl: object) -> None:
        delivery, number = self.record.delivery, self._next_attempt(handler.name)
        running = CurrentDelivery(
            id=delivery.id,
            attempt=number,
            handler=handler.name,
            received_ms=delivery.received_ms,
            event_uuid=delivery.event_uuid,
            # the bot's: structlog's configuration is its own to change
            log=structlog.get_logger("worker", delivery_id=delivery.id, handler=handler.name, attempt=number),
        )
        await self._make_sure()  # the last thing before it starts
        self.handler = handler
        counted, began = self._dispatcher.metrics.handler(handler.name), time.perf_counter()
        try:
            attempt = await run_handler(handler, event, gl, running=running, terms=self._dispatcher.terms)
        except asyncio.CancelledError:
            counted.ran(CUT_OFF, time.perf_counter() - began)
            raise
        finally:
            self.handler = None
        given_up = attempt.final and attempt.outcome is not Outcome.SUCCEEDED
        counted.ran(attempt.outcome, time.perf_counter() - began, given_up=given_up)
        self._attempts.append(attempt)

    async def _make_sure(self) -> None:
        """Return when all outcomes so far are written down and the lease surely holds.

        It may not: this process may have been paused since the claim, even since Redis's last answer,
        and another worker may have run the next handler by now.

        :raises LeaseLost: when it is another's.
        """
        delivery_id, token, leases = self.record.delivery.id, self.record.token, self._dispatcher.leases
        written = not self._attempts
        while not (written and leases.surely_holds(delivery_id, token)):
            since = time.monotonic()
            written = await self._dispatcher.checkpoint(delivery_id, token, self._try(Ending.RUNNING))
            if not written:
                raise LeaseLost
            leases.renewed(delivery_id, token, since=since)

    # --- where the handlers stand ---------------------------------------------------------------

    def _is_due(self, name: str) -> bool:
        """Return whether *name* runs in this try: not succeeded, not given up, its wait over."""
        standing = self._before.get(name)
        if standing is None:
            return True
        if standing.outcome is Outcome.SUCCEEDED:
            return standing.run < self.record.done_from
        if standing.run < self.record.round_from:
            return True  # a new round: whatever was given up before is tried again
        return not standing.final and (standing.due_ms or 0) <= now_ms()

    def _next_attempt(self, name: str) -> int:
        standing = self._before.get(name)
        return standing.attempt + 1 if standing and standing.run >= self.record.round_from else 1

    def _conclude(self, names: list[str]) -> Settlement:
        """Return the delivery's next state, from where each of its handlers stands now."""
        standings = self._try(Ending.SETTLED).standings()
        unfinished = [
            standing for name in names if (standing := standings[name]).outcome is not Outcome.SUCCEEDED
        ]
        waits = [standing.due_ms or 0 for standing in unfinished if not standing.final]
        error = self._error()
        if waits:
            return self._settlement(State.RETRYING, delay_ms=min(waits) - now_ms(), error=error)
        return self._settlement(State.FAILED if unfinished else State.SUCCEEDED, error=error)

    def _error(self) -> str | None:
        """Return the failures of this try, or what the one before said when nothing failed now."""
        texts = [f"{attempt.handler}: {attempt.error}" for attempt in self._attempts if attempt.error]
        return "; ".join(texts) or self.record.error

    def _settlement(
        self,
        state: State,
        *,
        delay_ms: int = 0,
        error: str | None = None,
        ending: Ending = Ending.SETTLED,
    ) -> Settlement:
        return Settlement(
            delivery_id=self.record.delivery.id,
            token=self.record.token,
            state=state,
            delay_ms=delay_ms,
            error=None if state is State.SUCCEEDED else error,
            run=self._try(ending),
        )

    def _try(self, ending: Ending) -> Run:
        """Return this try as it stands, with what it did not touch carried on from the one before."""
        ran = {attempt.handler for attempt in self._attempts}
        return Run(
            number=self.record.claims,
            worker=self._dispatcher.worker,
            started_ms=self._started_ms,
            ended_ms=None if ending is Ending.RUNNING else now_ms(),
            ending=ending,
            attempts=tuple(self._attempts),
            carried=tuple(standing for name, standing in self._before.items() if name not in ran),
        )
