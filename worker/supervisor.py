"""The worker's loop: arq's life cycle, with the ledger's claim and settle in the place of arq's.

Kept of ``arq.Worker``: signals and waiting for running jobs, the health key, burst mode, start-up and
shutdown hooks. Replaced: how jobs are claimed (a batch, with leases), what runs them, how they end, and
that losing Redis ends the process. It never imports the bot: handlers run in hosts.

What it relies on in arq, besides the documented arguments: ``_pool``, ``allow_pick_jobs``, ``tasks``,
``main_task``, ``_job_completion_wait``, ``_handle_signals``, ``heart_beat``, ``handle_sig``,
``handle_sig_wait_for_completion``, ``_wait_for_tasks_to_complete``, and the counters ``jobs_…``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from arq.worker import Worker, func

from hookyard.cancellation import cancel_and_wait
from hookyard.ledger import heartbeats, keys
from hookyard.ledger.records import State
from hookyard.redis import arq_serializer
from hookyard.redis.client import close
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs
from worker.attempt import CANCEL_S
from worker.hook_watch import HookWatch
from worker.in_flight import InFlight
from worker.reloading import keep_reloading
from worker.ticker import Ticker
from worker.wake_up import WAIT_S, WakeUp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from arq.connections import ArqRedis

    from hookyard.ledger.claims import Claims
    from hookyard.ledger.ledger import Ledger
    from worker.hosts.pool import HostPool
    from worker.run_context import RunContext

log = logs.get_logger("worker")

CLAIM_LIMIT: Final = 20
"""Small enough that Redis, supervisor and hosts work at the same time, each on a claim of its own: with 64
handlers that wait 50 ms filled 86 % of 200 slots, with 20 they fill 93 %."""

BURST_TICK_S: Final = 0.5
PRUNE_EVERY_S: Final = 10.0
PRUNE_BUSY_S: Final = 1.0
"""While deliveries come, each takes room in Redis, and a small one is soon full."""

PRUNE_AGAIN_S: Final = 0.1
FRESH_S: Final = 1.0
"""After a quarantined delivery, fresh ones have a worker for this long, or as long as that one took."""

CLOSE_S: Final = 2 * CANCEL_S
"""Handlers may take this long to be cancelled, and killed, before their worker ends without them."""


class Supervisor(Worker):
    """Claims deliveries and has them run in hosts, ``slots`` at once.

    :param wake_up_redis: a client of its own, without timeout, for the wake-up.
    :param prune: makes room in the ledger, and returns whether there may be more to do.
    :param ticks: keep the schedules; a test ticks by itself.
    :param reload: replace the hosts when a file of the bot's changes.
    """

    def __init__(  # noqa: PLR0913 - what the loop is made of, by name
        self,
        *,
        ledger: Ledger,
        wake_up_redis: ArqRedis,
        context: RunContext,
        slots: int,
        lease_ms: int,
        drain_s: float,
        prune: Callable[[], Awaitable[bool]],
        burst: bool = False,
        handle_signals: bool = True,
        ticks: bool = True,
        reload: bool = False,
    ) -> None:
        super().__init__(
            functions=[func(_discarded, name=keys.FUNCTION)],
            queue_name=ledger.keys.queue,
            redis_pool=ledger.redis,
            burst=burst,
            handle_signals=handle_signals,
            job_completion_wait=max(1, round(drain_s)),
            max_jobs=slots,
            keep_result=0,
            health_check_interval=30,
            job_serializer=arq_serializer.serialize,
            job_deserializer=arq_serializer.deserialize,
        )
        self.name = context.worker
        self.ready = asyncio.Event()
        self._ledger = ledger
        self._context = context
        self._hosts: HostPool = context.pool
        self._leases = context.leases
        self._leases.on_lost = self._on_lost
        self._lease_ms = lease_ms
        self._outage = context.outage
        self._prune = prune
        self._reload = reload
        schedules = (lambda: self._hosts.schedules) if ticks and not burst else tuple
        self._watch = HookWatch(
            ledger,
            context.settings,
            name=context.worker,
            events=self._hosts.events,
            metrics=context.metrics,
        )
        self._ticker = Ticker(ledger, schedules, source=next(iter(context.settings.by_source)))
        self._next_due: float | None = None  # on the loop's clock
        self._quarantine_due: float | None = None
        self._alone_since: float | None = None  # when what now runs alone was claimed
        self._fresh_until = 0.0
        self._stop_at: float | None = None  # on the loop's clock, once it drains
        self._is_over = False
        self._wake_up = WakeUp(wake_up_redis, ledger.keys.wake, free=self._free, pass_on=ledger.wake)
        self._in_flight = InFlight(
            ledger, context, may_stop=self._drain_is_over, on_handled=self._wake_up.slot_freed
        )

    # --- arq's life cycle -----------------------------------------------------------------------

    async def main(self) -> None:
        """Run until a signal, or in burst mode until the queue is empty."""
        self.ctx["redis"] = self.pool
        await self._hosts.open()
        background = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("wake-up", self._wake_up.watch()),
                ("heartbeat", heartbeats.beat(self._ledger, self.name)),
                ("leases", self._leases.keep()),
                ("prune", self._keep_pruning()),
                ("schedules", self._ticker.keep()),
                ("webhooks", self._watch.keep()),
                *([("reload", keep_reloading(self._hosts))] if self._reload else []),
            )
        ]
        log.info("worker ready", worker=self.name, slots=self.max_jobs)
        self.ready.set()
        try:
            while not self._is_over and not await self._turn():
                pass
        finally:
            await asyncio.gather(*(cancel_and_wait(task) for task in background))

    async def close(self) -> None:
        """Release what still runs and leave nothing behind; Redis may be away."""
        if not self._handle_signals:
            self.handle_sig(signal.SIGUSR1)
        renewing = asyncio.create_task(self._leases.keep(), name="leases")
        gives_up = self.loop.time() + CLOSE_S
        while self.tasks and self.loop.time() < gives_up:
            # more than once: on Python 3.11 asyncio.wait_for can lose a cancellation (CPython 86296)
            for task in self.tasks.values():
                task.cancel()
            await asyncio.wait(self.tasks.values(), timeout=0.25)
        await cancel_and_wait(renewing)
        await self._hosts.close()
        try:
            await self.pool.delete(self.health_check_key)
            await heartbeats.leave(self._ledger, self.name)
        except Exception as exc:
            if not is_redis_away(exc):
                raise
        await self._wake_up.close()
        await close(self.pool)
        self._pool = None

    def handle_sig_wait_for_completion(self, signum: signal.Signals) -> None:
        """Stop claiming and let running handlers finish; the second signal releases them at once."""
        if self._stop_at is not None:
            self.handle_sig(signum)
            return
        self._stop_at = self.loop.time() + self._job_completion_wait + self._lease_ms / 1000
        super().handle_sig_wait_for_completion(signum)

    async def _wait_for_tasks_to_complete(self, signum: signal.Signals) -> None:
        """Wait as arq does, then end; see ``handle_sig``."""
        await super()._wait_for_tasks_to_complete(signum)
        self._is_over = True
        self._wake_up.slot_freed()

    def handle_sig(self, signum: signal.Signals) -> None:
        """Stop at once: release what runs. The loop ends even if it misses its cancellation."""
        self._is_over = True
        self._wake_up.slot_freed()
        super().handle_sig(signum)

    async def _turn(self) -> bool:
        """Claim, keep arq's health key, wait for a reason to look again; ``True`` ends burst mode."""
        try:
            await self._fill()
            await self.heart_beat()
            if self.burst and not self.tasks and await self.pool.zcard(self.queue_name) == 0:
                return True
            self._outage.found()
        except Exception as exc:
            if not is_redis_away(exc):
                raise
            self._outage.lost(exc)
            self._wake_up.look.set()
            await asyncio.sleep(0.25)  # not hammering a Redis that is starting
            return False
        await self._rest()
        return False

    async def _rest(self) -> None:
        """Wait until a slot is free and something may be due."""
        rest_s = BURST_TICK_S if self.burst else WAIT_S
        now = self.loop.time()
        if self._next_due is not None and self._free() > 0:
            rest_s = min(rest_s, self._next_due - now)
        if self._quarantine_due is not None and not self._wants_alone():
            rest_s = min(rest_s, max(self._quarantine_due, self._fresh_until) - now)
        waiting = self._wake_up.look if self._free() > 0 else self._wake_up.room
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, rest_s)):
                await waiting.wait()
        if self._next_due is not None and self.loop.time() >= self._next_due:
            self._wake_up.look.set()

    async def _keep_pruning(self) -> None:
        """Prune now and then, more often while there is work; an outage does not end it."""
        due, ended = self.loop.time(), 0
        while True:
            pause_s, ended_before = PRUNE_BUSY_S, ended
            ended = self.jobs_complete + self.jobs_failed
            if self.tasks or ended != ended_before or self.loop.time() >= due:
                due = self.loop.time() + PRUNE_EVERY_S
                try:
                    if await self._prune():
                        pause_s, due = PRUNE_AGAIN_S, 0.0
                except Exception as exc:
                    if not is_redis_away(exc):
                        log.exception("pruning failed")
            await asyncio.sleep(pause_s)

    # --- claiming -------------------------------------------------------------------------------

    def _free(self) -> int:
        """Return how many deliveries could be started; one that is only being settled takes no slot.

        Of those there are never more than slots, so a Redis that claims but does not settle is no danger.
        """
        if not self.allow_pick_jobs or self._hosts.fault is not None:
            return 0
        if self._alone_since is not None or self._wants_alone():
            return 0
        return self.max_jobs - len(self.tasks) + min(self._in_flight.settling, self.max_jobs)

    async def _fill(self) -> None:
        """Claim until the slots are full or nothing more is due."""
        while self._wake_up.look.is_set() and (free := self._free()) > 0:
            self._wake_up.look.clear()
            since_s = self._leases.now_s()
            claims = await self._ledger.claim(
                worker=self.name, limit=min(free, CLAIM_LIMIT), has_lines=self._hosts.has_lines
            )
            self._start(claims, since_s)
            self._quarantine_due = self._at(claims, claims.quarantine_due_ms)
            if not claims.records:
                self._fresh_until = 0.0  # nothing fresh is due
            if claims.foreign:
                await self._drop_foreign(claims.foreign)
        if self._wants_alone() and not self.tasks:
            await self._fill_from_quarantine()
        if self._free() <= 0:
            self._wake_up.room.clear()

    def _wants_alone(self) -> bool:
        """Return whether it is the quarantine's turn: nothing fresh is claimed, until one has run alone.

        A delivery that may have killed its worker must be the only one in it, so that the next death is
        held against it and no other.
        """
        due = self._quarantine_due
        return due is not None and max(due, self._fresh_until) <= self.loop.time()

    async def _fill_from_quarantine(self) -> None:
        """Begin to run one delivery of the quarantine, alone; nothing else is claimed before it has ended."""
        since_s = self._leases.now_s()
        claims = await self._ledger.claim_quarantined(worker=self.name)
        self._quarantine_due = self._at(claims, claims.quarantine_due_ms)
        for record in claims.records:
            # only what is confirmed counts, should this worker die over it
            if await self._ledger.confirm(record.delivery.id, record.token):
                log.warning("quarantined delivery runs alone", delivery_id=record.delivery.id)
        if claims.records:
            self._alone_since = self.loop.time()
        self._start(claims, since_s)

    def _at(self, claims: Claims, due_ms: int | None) -> float | None:
        """Return *due_ms*, by Redis's clock, on the loop's."""
        return None if due_ms is None else self.loop.time() + (due_ms - claims.now_ms) / 1000

    def _start(self, claims: Claims, since_s: float) -> None:
        for record in claims.records:
            self._in_flight.begin(record, since_s=since_s)
            self._spawn(record.delivery.id, self._in_flight.run(record))
        for unreadable in claims.unreadable:
            self._spawn(unreadable.delivery_id, self._in_flight.refuse(unreadable))
        self._next_due = self._at(claims, claims.next_due_ms)
        self._wake_up.claimed(more=self._next_due is not None and self._next_due <= self.loop.time())

    async def _drop_foreign(self, members: Sequence[str]) -> None:
        """Take members of the queue away that are no deliveries; nothing of ours puts them there."""
        log.warning("the queue held what is no delivery; removed", members=list(members)[:10])
        await self.pool.zrem(self.queue_name, *members)

    def _spawn(self, delivery_id: str, work: Any) -> None:
        task = self.loop.create_task(work, name=f"delivery {delivery_id}")
        self.tasks[delivery_id] = task
        task.add_done_callback(partial(self._ended, delivery_id))

    def _ended(self, delivery_id: str, done: asyncio.Task[Any]) -> None:
        if self.tasks.get(delivery_id) is done:
            del self.tasks[delivery_id]
        if self._alone_since is not None and not self.tasks:
            now = self.loop.time()
            self._fresh_until, self._alone_since = now + max(FRESH_S, now - self._alone_since), None
        self._wake_up.slot_freed()
        if done.cancelled():
            return
        if (exc := done.exception()) is not None:
            # a bug of ours: the lease runs out and another worker takes over
            log.error("a delivery's task failed", delivery_id=delivery_id, exc_info=exc)
        elif done.result() in {State.RETRYING, State.WAITING}:
            self.jobs_retried += 1
        elif done.result() is State.FAILED:
            self.jobs_failed += 1
        elif done.result() in {State.SUCCEEDED, State.IGNORED}:
            self.jobs_complete += 1

    def _on_lost(self, delivery_id: str, token: str) -> None:
        if self._in_flight.lose(delivery_id, token) and delivery_id in self.tasks:
            self.tasks[delivery_id].cancel()

    def _drain_is_over(self) -> bool:
        return self._stop_at is not None and self.loop.time() > self._stop_at


async def _discarded(ctx: dict[Any, Any], *_args: Any, **_kwargs: Any) -> None:
    """Do nothing: arq wants to know a function for every job it could find."""
