"""The transitions of a delivery in Redis: accept, claim, renew, checkpoint, settle, replay, discard.

Every transition is one Lua script (``scripts/``), called with all deliveries that wait at the same
moment. Redis's own clock decides what is due and whose lease has ended, so that the clocks of
ingresses and workers need not agree. What Redis raises passes through; ``redis.errors.is_redis_away`` tells
whether asking again can help.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

from hookyard.ledger.also import pack_also
from hookyard.ledger.claims import Claims, Settlement, Unreadable
from hookyard.ledger.codec import pack_body, pack_meta, pack_run, unpack_record
from hookyard.ledger.keys import LedgerKeys, job_bytes
from hookyard.ledger.records import RECORD_VERSION, Delivery, one_line
from hookyard.redis.batching import GroupCommit, awaited
from hookyard.redis.errors import NotReplicated, is_redis_away
from hookyard.redis.scripts import ScriptRunner, source
from hookyard.settings.limits import KEPT_RUNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arq.connections import ArqRedis
    from redis.asyncio.client import Pipeline

    from hookyard.ledger.records import Run
    from hookyard.redis.scripts import Argument

    _Accepting = tuple[str, int, bytes, bytes, bytes]

CLAIM_TIMEOUT_S: Final = 2.0
"""A claim that Redis executes later than this gives nothing: the worker has given up waiting."""

WORTH_ANOTHER: Final = 8
"""When so many wait to be accepted, they do not wait for the answer to those before them."""

MOST_UNDER_WAY: Final = 8
"""So many batches at most are on their way to be accepted; Redis and this process work at the same time."""

SETTLED_AT_ONCE: Final = 32
"""When so many wait to be settled, a second batch goes while the first is under way."""

_CLOCKS: Final = 16
"""Redis's clock is told by the quickest of so many claims."""

BULK: Final = 200
"""Renewals, replays and discards go to Redis in pieces of this many deliveries."""


class Ledger:
    """The deliveries of one installation.

    :param redis: from ``connection.open_redis``; the caller closes it.
    :param min_replicas: so many replicas must have what is accepted, too (``HOOKYARD_MIN_REPLICAS``).
    :param replicas_timeout_s: for how long they may take.
    :param accept_timeout_s: for how long Redis may take to answer, and its replicas with it; *redis*'s own
        limit holds as well.
    :param lease_ms: how long a claim, a renewal or a checkpoint keeps a delivery for its worker.
    :param max_crashes: a delivery whose worker died this often while running it alone is failed.
    """

    def __init__(
        self,
        redis: ArqRedis,
        keys: LedgerKeys | None = None,
        *,
        min_replicas: int = 0,
        replicas_timeout_s: float = 0.5,
        accept_timeout_s: float = 10.0,
        lease_ms: int = 10_000,
        max_crashes: int = 3,
    ) -> None:
        self.redis = redis
        self._lease_ms = lease_ms
        self._max_crashes = max_crashes
        self._min_replicas = min_replicas
        self._replicas_timeout_ms = int(replicas_timeout_s * 1000)
        self.keys = keys = keys or LedgerKeys()
        self.scripts = ScriptRunner(redis, timeout_s=accept_timeout_s)
        self._redis_is_ahead_ms: int | None = None
        self._clocks: deque[tuple[int, int]] = deque(
            maxlen=_CLOCKS
        )  # how long a claim took, and Redis's lead
        self._accept_timeout_s = accept_timeout_s
        records = keys.deliveries
        self._accept_keys = [keys.queue, keys.received, keys.states, keys.wake]
        self._holders_keys = [keys.queue, keys.states, keys.failed, keys.quarantine, keys.wake]
        self._accepting: GroupCommit[_Accepting] = GroupCommit(
            awaited(self._accept_replicated)
            if min_replicas
            else self.scripts.batch("accept", keys=self._accept_keys, args=[records]),
            min_for_another=WORTH_ANOTHER,
            max_in_flight=MOST_UNDER_WAY,
            fails_all=is_redis_away,
        )
        self._checkpointing: GroupCommit[tuple[str, str, bytes, bytes]] = GroupCommit(
            self.scripts.batch("checkpoint", keys=self._holders_keys, args=[records, lease_ms])
        )
        self._settling: GroupCommit[tuple[str, str, str, int, str, bytes, bytes]] = GroupCommit(
            self.scripts.batch(
                "settle",
                keys=[keys.queue, keys.failed, keys.states, keys.wake, keys.done, keys.quarantine],
                args=[records, lease_ms],
            ),
            min_for_another=SETTLED_AT_ONCE,
            max_in_flight=2,
            is_kept=True,
        )

    def accept(self, delivery: Delivery) -> asyncio.Future[bool]:
        """Keep *delivery*; it is in Redis when what this gives was awaited.

        While Redis does not confirm, all who wait are told at once, no later than after twice the timeout.

        :returns: ``True`` when it is new, ``False`` when one with its id was there (nothing is changed).
        """
        meta, body = pack_meta(delivery), pack_body(delivery.body)
        job = job_bytes(delivery.id, delivery.received_ms)
        return self._accepting(
            (delivery.id, delivery.received_ms, meta, body, job), size=len(meta) + len(body)
        )

    async def probe(self) -> None:
        """Return when Redis takes a write just now, and its replicas do; raises what it raises otherwise."""
        async with self.redis.pipeline(transaction=False) as pipe:
            await self._execute(pipe)

    async def claim(
        self, *, worker: str, limit: int, only: str | None = None, has_lines: bool = False
    ) -> Claims:
        """Take up to *limit* deliveries that are due, with a lease on each.

        :param worker: who asks, for the records.
        :param only: claim just this one, where it is due (stock arq).
        :param has_lines: handlers stand in lines; ``gates.Gates.enter`` follows for each delivery.
        """
        keys, token, since_ms = self.keys, _new_token(), _monotonic_ms()
        answer = await self.scripts.call(
            "claim",
            keys=[keys.queue, keys.states, keys.wake, keys.failed, keys.quarantine],
            args=[
                keys.deliveries,
                worker,
                token,
                self._lease_ms,
                limit,
                RECORD_VERSION,
                self._max_crashes,
                KEPT_RUNS,
                only or "",
                self._redis_ms_in(CLAIM_TIMEOUT_S),
                int(has_lines),
            ],
        )
        return self._claims(answer, token, since_ms)

    async def claim_quarantined(self, *, worker: str) -> Claims:
        """Take at most one delivery that is due from the quarantine, to be run alone.

        Nothing is held against it before its holder confirms: call :meth:`confirm` just before it starts.
        """
        keys, token, since_ms = self.keys, _new_token(), _monotonic_ms()
        answer = await self.scripts.call(
            "claim_quarantined",
            keys=[keys.queue, keys.states, keys.wake, keys.quarantine],
            args=[
                keys.deliveries,
                worker,
                token,
                self._lease_ms,
                RECORD_VERSION,
                KEPT_RUNS,
                self._redis_ms_in(CLAIM_TIMEOUT_S),
            ],
        )
        return self._claims(answer, token, since_ms)

    async def is_quarantine_due(self) -> bool:
        """Return whether anything is due in the quarantine; only a claim can tell for sure."""
        return bool(await self.redis.zcount(self.keys.quarantine, "-inf", self.redis_now_ms()))

    async def renew(self, held: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Prolong leases, pairs of delivery id and token, and return those that are lost.

        A lease that lapsed is given back as long as nobody else claimed the delivery.
        """
        lost: list[tuple[str, str]] = []
        for start in range(0, len(held), BULK):
            piece = held[start : start + BULK]
            args: list[Argument] = [self.keys.deliveries, self._lease_ms, *chain.from_iterable(piece)]
            answers = await self.scripts.call("renew", keys=self._holders_keys, args=args)
            lost += [lease for lease, answer in zip(piece, answers, strict=True) if answer != 1]
        return lost

    async def confirm(self, delivery_id: str, token: str) -> bool:
        """Record that the run is about to start, and prolong its lease; ``False`` when it was lost."""
        return not await self.renew([(delivery_id, token)])

    async def checkpoint(
        self,
        delivery_id: str,
        token: str,
        run: Run,
        *,
        left: Sequence[str] = (),
        enqueued: Sequence[tuple[Delivery, int]] = (),
    ) -> bool:
        """Record what a run has come to so far, and prolong its lease.

        :param left: see :class:`~hookyard.ledger.claims.Settlement`, as for *enqueued*.
        :returns: ``False`` when the lease was lost.
        """
        return await self._checkpointing(
            (
                delivery_id,
                token,
                pack_run(run),
                pack_also(left, (), enqueued) if left or enqueued else b"",
            )
        )

    def settle(self, settlement: Settlement) -> asyncio.Future[bool]:
        """End a run.

        :returns: whether its outcome is in the record, also when this is sent again after an answer got
            lost; ``False`` when the lease was lost, and then nothing was written. Whoever awaits it hears of
            being cancelled when it is done.
        """
        return self._settling(
            (
                settlement.delivery_id,
                settlement.token,
                settlement.state.value,
                max(0, settlement.delay_ms),
                one_line(settlement.error) if settlement.error else "",
                pack_run(settlement.run) if settlement.run else b"",
                pack_also(settlement.left, settlement.alarms, settlement.enqueued)
                if settlement.left or settlement.alarms or settlement.enqueued
                else b"",
            )
        )

    async def wake(self) -> None:
        """Pass the wake-up token on to another worker."""
        await self.scripts.call("wake", keys=[self.keys.wake], args=[])

    async def hasten(self, within_ms: int) -> list[str]:
        """Make due at once what falls due within a time, for tests; return the ids."""
        args: list[Argument] = [self.keys.deliveries, within_ms, BULK]
        hastened = await self.scripts.call("hasten", keys=[self.keys.queue, self.keys.wake], args=args)
        return [one.decode() for one in hastened]

    async def unlock(self) -> int:
        """Shorten stock arq's locks on due deliveries to a lease, and return how many there were."""
        args: list[Argument] = [self.keys.deliveries, self._lease_ms, BULK]
        shortened: int = await self.scripts.call("unlock", keys=[self.keys.queue], args=args)
        return shortened

    async def replay(
        self, ids: Iterable[str], *, what: Literal["all", "failed"], now_ms: int
    ) -> dict[str, str]:
        """Run deliveries again: ``all`` handlers, or only those without a success.

        :returns: per id ``queued``, ``running`` (again once the present run has ended), ``dropped`` (its body
            made room, so it cannot run again) or ``missing``.
        """
        answers: dict[str, str] = {}
        for piece in _pieces(ids):
            raw = await self.scripts.call(
                "replay",
                keys=[
                    self.keys.queue,
                    self.keys.failed,
                    self.keys.states,
                    self.keys.wake,
                    self.keys.done,
                    self.keys.quarantine,
                ],
                args=[
                    self.keys.deliveries,
                    what,
                    *(part for one in piece for part in (one, job_bytes(one, now_ms))),
                ],
            )
            answers.update(zip(piece, (answer.decode() for answer in raw), strict=True))
        return answers

    async def discard(self, ids: Iterable[str]) -> int:
        """Remove deliveries and everything kept of them; gives how many there were."""
        found = 0
        for piece in _pieces(ids):
            found += await self.scripts.call(
                "discard",
                keys=[
                    self.keys.queue,
                    self.keys.received,
                    self.keys.failed,
                    self.keys.states,
                    self.keys.done,
                    self.keys.quarantine,
                ],
                args=[self.keys.deliveries, *piece],
            )
        return found

    async def _accept_replicated(self, batch: Sequence[tuple[Argument, ...]]) -> Any:
        script = self.redis.register_script(source("accept"))
        args = [self.keys.deliveries, *chain.from_iterable(batch)]
        async with asyncio.timeout(self._accept_timeout_s), self.redis.pipeline(transaction=False) as pipe:
            await script(keys=self._accept_keys, args=args, client=pipe)
            answers, *_ = await self._execute(pipe)
        return answers

    async def _execute(self, pipe: Pipeline) -> list[Any]:
        """Run *pipe*, then a write of our own, and have the replicas confirm all of it.

        WAIT only answers for writes of the same connection; a script that found everything kept
        already has written nothing, but its record may not have reached a replica yet.

        :raises NotReplicated: when too few replicas have it.
        """
        pipe.set(self.keys.probe, 1, px=1000)
        if not self._min_replicas:
            answers: list[Any] = await pipe.execute()
            return answers
        pipe.execute_command("WAIT", self._min_replicas, self._replicas_timeout_ms)
        *answers, confirmed = await pipe.execute()
        if confirmed < self._min_replicas:
            raise NotReplicated(f"{confirmed} of {self._min_replicas} replicas confirmed")
        return answers

    def _claims(self, answer: Any, token: str, since_ms: int) -> Claims:
        claimed, foreign, due, now, quarantine_due = answer
        # asked for at *since*, so Redis was ahead by this at the most: the shorter it took, the closer
        self._clocks.append((_monotonic_ms() - since_ms, now + 1 - since_ms))
        self._redis_is_ahead_ms = min(self._clocks)[1]
        records, unreadable = [], []
        for raw_id, flat in claimed:
            delivery_id = raw_id.decode()
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            try:
                records.append(unpack_record(delivery_id, fields, now + self._lease_ms))
            except ValueError as exc:
                unreadable.append(Unreadable(delivery_id=delivery_id, token=token, error=str(exc)))
        return Claims(
            records=tuple(records),
            unreadable=tuple(unreadable),
            foreign=tuple(raw.decode() for raw in foreign),
            next_due_ms=None if due < 0 else due,
            quarantine_due_ms=None if quarantine_due < 0 else quarantine_due,
            now_ms=now,
        )

    def redis_now_ms(self) -> int:
        """Return what Redis's clock shows, by the latest claims and this machine's monotonic clock.

        It may be ahead by as long as the quickest of those claims took, and is never behind.

        Due times of handlers are made with it, so that no machine's time of day counts; compare them with
        ``Record.claimed_ms``, which Redis wrote. Before the first claim it is this machine's time of day.
        """
        if self._redis_is_ahead_ms is None:
            return time.time_ns() // 1_000_000
        return _monotonic_ms() + self._redis_is_ahead_ms

    def _redis_ms_in(self, seconds: float) -> int:
        """Return what Redis's clock will show then; 0 before the first claim shows it."""
        if self._redis_is_ahead_ms is None:
            return 0
        return self.redis_now_ms() + int(seconds * 1000)


def _new_token() -> str:
    """Return a fencing token: 72 random bits, so that no two claims ever have the same."""
    return secrets.token_urlsafe(9)


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _pieces(ids: Iterable[str]) -> Iterable[list[str]]:
    waiting = list(dict.fromkeys(ids))
    for start in range(0, len(waiting), BULK):
        yield waiting[start : start + BULK]
