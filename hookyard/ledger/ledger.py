"""What may happen to a delivery in Redis: accept, claim, note, settle, replay, discard.

Every change of state is one Lua script (``scripts/``), called with all deliveries that wait at the
same moment. Redis's own clock decides what is due and whose lease has ended, so that the clocks of
ingresses and workers need not agree. What Redis raises passes through; ``redis.errors.is_redis_away``
tells whether trying again can help.
"""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

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
"""A claim that Redis gets to only later than this gives nothing; the worker has given up waiting."""

WORTH_ANOTHER: Final = 8
"""When so many wait to be accepted, they do not wait for the answer to those before them."""

MOST_UNDER_WAY: Final = 8
"""So many batches at most are on their way to be accepted; Redis and this process work at the same time."""

SETTLED_AT_ONCE: Final = 32
"""When so many wait to be settled, a second batch goes while the first is under way."""

BULK: Final = 200
"""Replays and discards go to Redis in pieces of this many deliveries."""


class Ledger:
    """The deliveries of one installation.

    :param redis: from ``connection.open_redis``; the caller closes it.
    :param min_replicas: so many replicas must have what is accepted, too (``HOOKYARD_MIN_REPLICAS``).
    :param replicas_timeout_s: for how long they may take.
    :param accept_timeout_s: for how long Redis may take to answer, and its replicas with it; *redis*'s own
        limit holds as well.
    :param lease_ms: how long a claim or a note keeps a delivery for its worker.
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
    ) -> None:
        self.redis = redis
        self._lease_ms = lease_ms
        self._min_replicas = min_replicas
        self._replicas_timeout_ms = int(replicas_timeout_s * 1000)
        self.keys = keys = keys or LedgerKeys()
        self._scripts = ScriptRunner(redis, timeout_s=accept_timeout_s)
        self._redis_is_ahead_ms: int | None = None
        self._accept_timeout_s = accept_timeout_s
        records = keys.deliveries
        self._accept_keys = [keys.queue, keys.received, keys.states, keys.wake]
        self._accepting: GroupCommit[_Accepting] = GroupCommit(
            awaited(self._accept_replicated)
            if min_replicas
            else self._scripts.batch("accept", keys=self._accept_keys, args=[records]),
            min_for_another=WORTH_ANOTHER,
            max_in_flight=MOST_UNDER_WAY,
            fails_all=is_redis_away,
        )
        self._checkpointing: GroupCommit[tuple[str, int, bytes]] = GroupCommit(
            self._scripts.batch("checkpoint", keys=[keys.queue], args=[records, lease_ms])
        )
        self._settling: GroupCommit[tuple[str, int, str, int, str, bytes]] = GroupCommit(
            self._scripts.batch(
                "settle",
                keys=[keys.queue, keys.failed, keys.states, keys.wake, keys.done],
                args=[records, KEPT_RUNS],
            ),
            min_for_another=SETTLED_AT_ONCE,
            max_in_flight=2,
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
        self,
        *,
        worker: str,
        limit: int,
        max_crashes: int,
        may_take_quarantined: bool = True,
        only: str | None = None,
        lease_ms: int | None = None,
    ) -> Claims:
        """Take up to *limit* deliveries that are due, with a lease on each.

        :param worker: who asks, for the records.
        :param max_crashes: a delivery whose worker has died so often is failed instead of claimed.
        :param may_take_quarantined: whether it may be given a delivery that is one crash short of that.
        :param only: claim just this one, if nobody else's lease on it holds (stock arq).
        """
        lease_ms = lease_ms or self._lease_ms
        claimed, foreign, due, now = await self._scripts.call(
            "claim",
            keys=[self.keys.queue, self.keys.states, self.keys.wake, self.keys.failed],
            args=[
                self.keys.deliveries,
                worker,
                lease_ms,
                limit,
                RECORD_VERSION,
                max_crashes,
                int(may_take_quarantined),
                only or "",
                self._redis_ms_in(CLAIM_TIMEOUT_S),
            ],
        )
        self._redis_is_ahead_ms = now - time.time_ns() // 1_000_000
        records, unreadable = [], []
        for raw_id, flat in claimed:
            delivery_id = raw_id.decode()
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            try:
                records.append(unpack_record(delivery_id, fields, now + lease_ms))
            except ValueError as exc:
                unreadable.append(
                    Unreadable(delivery_id=delivery_id, claim=int(fields[b"claims"]), error=str(exc))
                )
        return Claims(
            records=tuple(records),
            unreadable=tuple(unreadable),
            foreign=tuple(raw.decode() for raw in foreign),
            next_due_ms=None if due < 0 else due,
            now_ms=now,
        )

    async def checkpoint(self, delivery_id: str, claim: int, run: Run) -> bool:
        """Write down what a running try has come to so far, and prolong its lease.

        :returns: ``False`` when the lease was lost.
        """
        return await self._checkpointing((delivery_id, claim, pack_run(run)))

    def settle(self, settlement: Settlement) -> asyncio.Future[bool]:
        """End a try; ``False`` when the lease was lost, and then nothing was written."""
        return self._settling(
            (
                settlement.delivery_id,
                settlement.claim,
                settlement.state.value,
                max(0, settlement.delay_ms),
                one_line(settlement.error) if settlement.error else "",
                pack_run(settlement.run) if settlement.run else b"",
            )
        )

    async def replay(
        self, ids: Iterable[str], *, what: Literal["all", "failed"], now_ms: int
    ) -> dict[str, str]:
        """Run deliveries again: ``all`` handlers, or only those without a success.

        :returns: per id ``queued``, ``running`` (again once the present try has ended) or ``missing``.
        """
        answers: dict[str, str] = {}
        for piece in _pieces(ids):
            raw = await self._scripts.call(
                "replay",
                keys=[
                    self.keys.queue,
                    self.keys.failed,
                    self.keys.states,
                    self.keys.wake,
                    self.keys.done,
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
            found += await self._scripts.call(
                "discard",
                keys=[
                    self.keys.queue,
                    self.keys.received,
                    self.keys.failed,
                    self.keys.states,
                    self.keys.done,
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

    def redis_now_ms(self) -> int:
        """Return what Redis's clock shows, as far as a claim has told it yet."""
        return time.time_ns() // 1_000_000 + (self._redis_is_ahead_ms or 0)

    def _redis_ms_in(self, seconds: float) -> int:
        """Return what Redis's clock will show then; 0 before the first claim tells it."""
        if self._redis_is_ahead_ms is None:
            return 0
        return self.redis_now_ms() + int(seconds * 1000)


def _pieces(ids: Iterable[str]) -> Iterable[list[str]]:
    waiting = list(dict.fromkeys(ids))
    for start in range(0, len(waiting), BULK):
        yield waiting[start : start + BULK]
