"""The worker's loop: arq's life cycle, with the ledger's claim and settle in the place of arq's.

Kept of ``arq.Worker``: signals and waiting for running jobs, the health key, cron jobs, burst mode,
start-up and shutdown hooks. Replaced: how jobs are claimed (a batch, with leases), what runs them,
how they end, and that losing Redis ends the process. Members of the queue that are no deliveries
(cron jobs) are started by arq's own code.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
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
from hookyard.telemetry.redis_outage import Outage
from worker.running import TASK_PREFIX, Running
from worker.wake_up import WAIT_S, WakeUp
from worker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from arq.connections import ArqRedis
    from arq.cron import CronJob

    from hookyard.ledger.claims import Claims
    from hookyard.ledger.ledger import Ledger
    from worker.dispatch import Dispatcher
    from worker.lease_keeper import LeaseKeeper

log = logs.get_logger("worker")

CLAIM_LIMIT: Final = 64
CRON_TICK_S: Final = 0.5
CANCEL_S: Final = 10.0
"""How long a handler may take to be cancelled before its worker ends without it."""


class Engine(Worker):
    """Claims deliveries and runs them, ``slots`` at once.

    :param wake_up_redis: a client of its own, without timeout, for the wake-up.
    """

    def __init__(  # noqa: PLR0913 - what the loop is made of, by name
        self,
        *,
        name: str,
        ledger: Ledger,
        wake_up_redis: ArqRedis,
        dispatcher: Dispatcher,
        leases: LeaseKeeper,
        slots: int,
        lease_ms: int,
        drain_s: float,
        cron_jobs: Sequence[CronJob] = (),
        burst: bool = False,
        handle_signals: bool = True,
    ) -> None:
        super().__init__(
            functions=[func(_left_over, name=keys.FUNCTION)],
            queue_name=ledger.keys.queue,
            cron_jobs=cron_jobs,
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
        self.name = name
        self._ledger = ledger
        self._wake_up = WakeUp(wake_up_redis, ledger.keys.wake, free=self._free)
        self._leases = leases
        leases.on_lost = self._on_lost
        self._lease_ms = lease_ms
        self._next_due: float | None = None  # on the loop's clock
        self._stop_at: float | None = None  # on the loop's clock, once it drains
        self._is_over = False
        self._outage = Outage(log, dispatcher.metrics.redis_away)
        self._running = Running(
            ledger,
            dispatcher,
            leases,
            outage=self._outage,
            may_stop=self._drain_is_over,
            on_handled=self._wake_up.slot_freed,
        )

    # --- arq's life cycle -----------------------------------------------------------------------

    async def main(self) -> None:
        """Run until a signal, or in burst mode until the queue is empty."""
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        self._leases.watchdog = Watchdog(self.loop, blocking=self._blocking_handler)
        self._leases.start()
        watching = asyncio.create_task(self._wake_up.watch(), name="wake-up")
        saying = asyncio.create_task(heartbeats.beat(self._ledger, self.name), name="presence")
        log.info("worker ready", worker=self.name, slots=self.max_jobs)
        try:
            while not self._is_over and not await self._turn():
                pass
        finally:
            await asyncio.gather(cancel_and_wait(watching), cancel_and_wait(saying))

    async def close(self) -> None:
        """Hand back what still runs and leave nothing behind; Redis may be away."""
        if not self._handle_signals:
            self.handle_sig(signal.SIGUSR1)
        gives_up = self.loop.time() + CANCEL_S
        while self.tasks and self.loop.time() < gives_up:
            # more than once: on Python 3.11 asyncio.wait_for can lose a cancellation (CPython 86296)
            for task in self.tasks.values():
                task.cancel()
            await asyncio.wait(self.tasks.values(), timeout=0.25)
        for delivery_id in self.tasks:
            log.error("a handler does not let itself be cancelled", delivery_id=delivery_id)
        await asyncio.to_thread(self._leases.stop)
        try:
            await self.pool.delete(self.health_check_key)
            await heartbeats.leave(self._ledger, self.name)
        except Exception as exc:
            if not is_redis_away(exc):
                raise
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        await self._wake_up.close()
        await close(self.pool)
        self._pool = None

    def handle_sig_wait_for_completion(self, signum: signal.Signals) -> None:
        """Stop claiming and let running handlers finish; the second signal hands them back at once."""
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
        """Stop at once: hand back what runs. The loop ends even if it misses its cancellation."""
        self._is_over = True
        self._wake_up.slot_freed()
        super().handle_sig(signum)

    async def _turn(self) -> bool:
        """Claim, keep arq's housekeeping, wait for a reason to look again; ``True`` ends burst mode."""
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
        """Wait until a slot is free and something may be due, or until housekeeping is."""
        rest_s = CRON_TICK_S if self.cron_jobs or self.burst else WAIT_S
        if self._next_due is not None and self._free() > 0:
            rest_s = min(rest_s, self._next_due - self.loop.time())
        waiting = self._wake_up.look if self._free() > 0 else self._wake_up.room
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, rest_s)):
                await waiting.wait()
        if self._next_due is not None and self.loop.time() >= self._next_due:
            self._wake_up.look.set()

    # --- claiming -------------------------------------------------------------------------------

    def _free(self) -> int:
        """Return how many deliveries could be started; one that is only being settled takes no slot.

        Of those there are never more than slots, so a Redis that claims but does not settle is no danger.
        """
        if not self.allow_pick_jobs:
            return 0
        return self.max_jobs - len(self.tasks) + min(self._running.settling, self.max_jobs)

    async def _fill(self) -> None:
        """Claim until the slots are full or nothing more is due."""
        while self._wake_up.look.is_set() and (free := self._free()) > 0:
            self._wake_up.look.clear()
            since = time.monotonic()
            claims = await self._ledger.claim(worker=self.name, limit=min(free, CLAIM_LIMIT))
            self._start(claims, since)
            if claims.foreign:
                await self._start_foreign(claims.foreign)
            if self._free() > 0 and not self._running.has_quarantined:
                await self._fill_from_quarantine(claims)
        if self._free() <= 0:
            self._wake_up.room.clear()

    async def _fill_from_quarantine(self, claims: Claims) -> None:
        """Claim one delivery of the quarantine where one is due; it confirms before it starts."""
        due_ms = claims.quarantine_due_ms
        if due_ms is None:
            return
        if due_ms > claims.now_ms:
            at = self.loop.time() + (due_ms - claims.now_ms) / 1000
            self._next_due = at if self._next_due is None else min(self._next_due, at)
            return
        since = time.monotonic()
        claims = await self._ledger.claim_quarantined(worker=self.name)
        for record in claims.records:
            await self._ledger.confirm(record.delivery.id, record.token)
        self._start(claims, since)

    def _start(self, claims: Claims, since: float) -> None:
        for record in claims.records:
            self._running.begin(record, since=since)
            self._spawn(record.delivery.id, self._running.run(record))
        for unreadable in claims.unreadable:
            self._spawn(unreadable.delivery_id, self._running.refuse(unreadable))
        if claims.next_due_ms is None:
            self._next_due = None
        else:
            in_s = (claims.next_due_ms - claims.now_ms) / 1000
            self._next_due = self.loop.time() + in_s
            if in_s <= 0:
                self._wake_up.look.set()

    async def _start_foreign(self, members: Sequence[str]) -> None:
        """Have arq start what is no delivery, and hear when it has ended."""
        await self.start_jobs([member.encode() for member in members])
        for member in members:
            task = self.tasks.get(member)
            if task is not None:
                task.add_done_callback(partial(self._ended, member))

    async def run_cron(self, n: datetime, delay: float, num_windows: int = 2) -> None:
        """Enqueue cron jobs as arq does, and look for each when it falls due: arq wakes nobody."""
        before = [job.next_run for job in self.cron_jobs]
        await super().run_cron(n, delay, num_windows)
        for job, due in zip(self.cron_jobs, before, strict=True):
            if job.next_run != due:
                in_s = due.timestamp() - time.time() if due else 0.0
                at = self.loop.time() + max(0.0, in_s)
                self._next_due = at if self._next_due is None else min(self._next_due, at)

    def _spawn(self, delivery_id: str, work: Any) -> None:
        task = self.loop.create_task(work, name=TASK_PREFIX + delivery_id)
        self.tasks[delivery_id] = task
        task.add_done_callback(partial(self._ended, delivery_id))

    def _ended(self, delivery_id: str, done: asyncio.Task[Any]) -> None:
        if self.tasks.get(delivery_id) is done:
            del self.tasks[delivery_id]
        self._wake_up.slot_freed()
        if done.cancelled():
            return
        if (exc := done.exception()) is not None:
            # a bug of ours: the lease runs out and another worker takes over
            log.error("a delivery's task failed", delivery_id=delivery_id, exc_info=exc)
        elif done.result() is State.RETRYING:
            self.jobs_retried += 1
        elif done.result() is State.FAILED:
            self.jobs_failed += 1
        elif done.result() in {State.SUCCEEDED, State.IGNORED}:
            self.jobs_complete += 1

    def _on_lost(self, leases: list[tuple[str, str]]) -> None:
        """Hear from the leases' thread what is lost; the loop may be closed by now."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._running.lose, leases, self._cancel)

    def _cancel(self, delivery_id: str) -> None:
        self.tasks[delivery_id].cancel()

    def _blocking_handler(self) -> tuple[str | None, float]:
        """Return which handler the loop is in just now; asked from the leases' thread."""
        task = asyncio.current_task(self.loop)
        return self._running.handler_of(task.get_name() if task else "")

    def _drain_is_over(self) -> bool:
        return self._stop_at is not None and self.loop.time() > self._stop_at


async def _left_over(ctx: dict[Any, Any], *_args: Any, **_kwargs: Any) -> None:
    """Run for a job whose delivery was discarded: does nothing, so that arq clears the job away."""
