"""One run of one delivery: which handlers are due, what they did, and what follows.

The outcome of each handler is checkpointed before the next one starts.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from hookyard.host.messages import Open
from hookyard.ledger.claims import Settlement
from hookyard.ledger.fingerprints import fingerprint
from hookyard.ledger.records import (
    DONE,
    FAILURES,
    Attempt,
    Ending,
    Outcome,
    Record,
    Run,
    Standing,
    State,
)
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs
from worker.admission import Admission, NotAdmitted, RunLost, line_of
from worker.attempt import InHosts, Wanted, handler_is_gone
from worker.follow_ups import deliveries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookyard.ledger.records import Delivery
    from worker.run_context import RunContext

log = logs.get_logger("worker")

FORWARD: Final = "forward"
"""Why a delivery was woken: a test has no time to wait, whatever for."""

_CLOCK_ERROR_MS: Final = 250
_PAUSES_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


class LeaseLost(Exception):
    """The delivery is another worker's by now, or was discarded: what this run did does not count."""


class ActiveRun:
    """A run under way.

    :param number: this worker's own number for it, unique in its lifetime and never 0.
    """

    def __init__(self, context: RunContext, record: Record, number: int) -> None:
        self.record = record
        self._context = context
        self._started_ms = context.redis_now_ms()
        self._before = record.standings()
        self._attempts: list[Attempt] = []
        self._recorded = 0  # how many of the attempts are in the ledger
        self._left: list[str] = []  # lines; and what handlers made: that the ledger does not know of yet
        self._made: list[tuple[Delivery, int]] = []
        self._put_off: dict[str, tuple[int, str]] = {}  # by handler, until when and why
        delivery = record.delivery
        order = Open(
            run=number,
            delivery_id=delivery.id,
            event=delivery.event,
            content_type=delivery.content_type,
            body=delivery.body,
            received_ms=delivery.received_ms,
            event_uuid=delivery.event_uuid,
            parent=delivery.parent,
            source=delivery.source,
            redacted=delivery.redacted,
            # no handler has run yet, so the first one is due and nothing is to be recorded before it starts
            start_by=None if self._before else context.leases.start_by(delivery.id, record.token),
        )
        self._hosts = InHosts(context, order)

    async def finish(self) -> Settlement:
        """Run the handlers that are due and return how the run ends.

        :raises LeaseLost: when the delivery is no longer this worker's.
        """
        try:
            wanted, error = await self._hosts.open()
            if error is not None:
                return self._settlement(State.FAILED, error=error)
            due = [each for each in wanted if self._is_due(each)]
            if self._context.pool.has_lines:
                await Admission(self._context, self.record).enter(due)
            for each in due:
                await self._attempt(each)
            self._miss([each.name for each in wanted])
            return self._conclude()
        except RunLost:
            raise LeaseLost from None
        finally:
            self._hosts.close()

    def release(self) -> Settlement:
        """Return the settlement that gives the delivery back; what its handlers have done so far is kept."""
        return self._settlement(State.QUEUED, error=self.record.error, ending=Ending.RELEASED)

    async def _attempt(self, wanted: Wanted) -> None:
        standing = self._standing(wanted.name)
        number = standing.attempt + 1 if standing else 1
        is_limited = wanted.info.gate is not None or wanted.info.key_fault is not None
        line = line_of(wanted.info) if is_limited else None
        try:
            attempt = await self._hosts.attempt(
                wanted,
                number,
                crashes=standing.crashes if standing else 0,
                make_sure=self._make_sure,
                admit=partial(Admission(self._context, self.record).ask, wanted) if is_limited else None,
                waiting_since_ms=standing.waiting_since_ms if standing else None,
                interrupted=self._attempts.append,
            )
        except NotAdmitted as refusal:
            if refusal.until_ms is not None:
                self._put_off[wanted.name] = (refusal.until_ms, str(refusal))
                return
            attempt = self._refused(wanted.name, number, refusal)
        if self._hosts.enqueued:
            made = deliveries_of(self.record, wanted.name, self._hosts.enqueued, self._context.redis_now_ms())
            self._made += made
            attempt = replace(attempt, enqueued=tuple(one.id for one, _ in made))
            self._hosts.enqueued = ()
        self._attempts.append(attempt)
        if line is not None and (attempt.final or not (wanted.info.gate and wanted.info.gate.is_strict)):
            self._left.append(line)

    def _refused(self, name: str, number: int, refusal: NotAdmitted) -> Attempt:
        """Return the outcome of a handler that its policy does not let run."""
        outcome = Outcome.SUPERSEDED if refusal.is_superseded else Outcome.FAILED
        self._context.metrics.handler(name).ran(outcome, 0.0, given_up=outcome is Outcome.FAILED)
        if outcome is Outcome.FAILED:
            log.error("handler not started", delivery_id=self.record.delivery.id, handler=name)
        return Attempt(
            handler=name,
            outcome=outcome,
            number=number,
            started_ms=self._context.redis_now_ms(),
            took_ms=0,
            final=True,
            error=str(refusal),
            fingerprint=fingerprint(name, str(refusal), None) if outcome is Outcome.FAILED else None,
        )

    async def _make_sure(self) -> float:
        """Return once all outcomes so far are recorded and the lease has enough time left to start.

        It may not have: this process may have been paused since the claim, or Redis away, and another worker
        may have run the next handler by now.

        :returns: the latest time at which a handler may start, on the boot clock.
        :raises LeaseLost: when it is another's.
        """
        context, failures = self._context, 0
        delivery_id, token = self.record.delivery.id, self.record.token
        while True:
            start_by = context.leases.start_by(delivery_id, token)
            if start_by is not None and self._recorded == len(self._attempts):
                return start_by
            recording, since = len(self._attempts), context.leases.now_s()
            left, made = tuple(self._left), tuple(self._made)
            try:
                written = await context.checkpoint(
                    delivery_id, token, self._run(Ending.RUNNING), left=left, enqueued=made
                )
            except Exception as exc:
                if not is_redis_away(exc):
                    raise
                # what a handler did is not forgotten because Redis was restarted meanwhile
                context.outage.lost(exc)
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
                continue
            if not written:
                raise LeaseLost
            self._recorded = recording
            del self._left[: len(left)], self._made[: len(made)]
            context.leases.renewed(delivery_id, token, since_s=since)

    # --- where the handlers stand ---------------------------------------------------------------

    def _standing(self, name: str) -> Standing | None:
        """Return where *name* stands in this round."""
        standing = self._before.get(name)
        return standing if standing is not None and standing.run >= self.record.round_from else None

    def _is_due(self, wanted: Wanted) -> bool:
        """Return whether a handler runs now: not succeeded, not given up, its wait over."""
        before = self._before.get(wanted.name)
        if before and before.outcome is Outcome.SUCCEEDED and before.run >= self.record.done_from:
            return False
        standing = self._standing(wanted.name)
        if standing is None:  # it never ran, or a new round: what was given up before is attempted again
            return wanted.info.gate is None or not self._is_early(wanted)
        if self.record.woken and (standing.wake_on is not None or self.record.woken == FORWARD):
            return not standing.final
        return not standing.final and (standing.due_ms or 0) <= self._due_until_ms()

    def _is_early(self, wanted: Wanted) -> bool:
        """Return whether a handler's policy has it start later; then it is put off."""
        delay_s = wanted.info.gate.delay_s if wanted.info.gate else 0.0
        due_ms = self.record.delivery.received_ms + round(delay_s * 1000)
        if not delay_s or self.record.woken == FORWARD or due_ms <= self._context.redis_now_ms():
            return False
        self._put_off[wanted.name] = (due_ms, f"starts {delay_s:g} s after its receipt")
        return True

    def _due_until_ms(self) -> int:
        """Return the time up to which a handler counts as due.

        The delivery was claimed because the first of its handlers is due by Redis's clock, of which this
        worker has an estimate: a run must not find that nothing is due yet, by a few milliseconds.
        """
        now_ms = self._context.redis_now_ms()
        waits = [each.due_ms for each in self._before.values() if each.due_ms and not each.final]
        first_ms = min(waits, default=now_ms)
        return max(now_ms, first_ms) if first_ms - now_ms <= _CLOCK_ERROR_MS else now_ms

    def _miss(self, names: list[str]) -> None:
        """Fail the handlers that are still to run again and that the bot does not have any more."""
        for name, before in self._before.items():
            standing = self._standing(name)
            if name in names or standing is None or standing.final:
                continue
            log.error(
                "handler is gone",
                delivery_id=self.record.delivery.id,
                handler=name,
                attempt=before.attempt,
            )
            self._attempts.append(
                Attempt(
                    handler=name,
                    outcome=Outcome.FAILED,
                    number=before.attempt,
                    started_ms=self._context.redis_now_ms(),
                    took_ms=0,
                    final=True,
                    error=(gone := handler_is_gone(name).error),
                    fingerprint=fingerprint(name, gone, None),
                )
            )

    def _conclude(self) -> Settlement:
        """Return the delivery's next state, from where each of its handlers stands now."""
        round_from, done_from = self.record.round_from, self.record.done_from
        standings = self._run(Ending.SETTLED).standings().values()
        unfinished = [
            standing for standing in standings if standing.outcome not in DONE and standing.run >= round_from
        ]
        succeeded = [
            standing
            for standing in standings
            if standing.outcome is Outcome.SUCCEEDED and standing.run >= done_from
        ]
        if not unfinished and not self._put_off:
            return self._settlement(State.SUCCEEDED if succeeded else State.IGNORED)
        again = [standing for standing in unfinished if not standing.final]
        waits = [standing.due_ms or 0 for standing in again] + [
            due_ms for due_ms, _ in self._put_off.values()
        ]
        error = self._error()
        if waits:
            delay_ms = min(waits) - self._context.redis_now_ms()
            is_retrying = any(standing.outcome in FAILURES for standing in again)
            return self._settlement(
                State.RETRYING if is_retrying else State.WAITING,
                delay_ms=delay_ms,
                error=error,
                alarms=sorted({each.wake_on for each in again if each.wake_on is not None}),
            )
        return self._settlement(State.FAILED, error=error)

    def _error(self) -> str | None:
        """Return the failures of this run, else what is waited for, else that of the run before."""
        told = [each for each in self._attempts if each.error]
        failures = [f"{each.handler}: {each.error}" for each in told if each.outcome in FAILURES]
        waits = [f"{each.handler}: {each.error}" for each in told if each.outcome is Outcome.WAITING]
        waits += [f"{name}: {reason}" for name, (_, reason) in self._put_off.items()]
        return "; ".join(failures or waits) or self.record.error

    def _settlement(
        self,
        state: State,
        *,
        delay_ms: int = 0,
        error: str | None = None,
        ending: Ending = Ending.SETTLED,
        alarms: Sequence[str] = (),
    ) -> Settlement:
        return Settlement(
            delivery_id=self.record.delivery.id,
            token=self.record.token,
            state=state,
            delay_ms=delay_ms,
            error=error,
            run=self._run(ending),
            left=tuple(self._left),
            alarms=tuple(alarms),
            enqueued=tuple(self._made),
        )

    def _run(self, ending: Ending) -> Run:
        """Return this run as it stands, with what it did not touch carried on from the one before."""
        ran = {each.handler for each in self._attempts if each.outcome is not Outcome.INTERRUPTED}
        return Run(
            number=self.record.claims,
            worker=self._context.worker,
            started_ms=self._started_ms,
            ended_ms=None if ending is Ending.RUNNING else self._context.redis_now_ms(),
            ending=ending,
            attempts=tuple(self._attempts),
            carried=tuple(standing for name, standing in self._before.items() if name not in ran),
        )
