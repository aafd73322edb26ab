"""Any sequence of transitions, on a real Redis, compared with :mod:`tests.model.reference` after each step.

Leases are so long that none ends by itself; that time passes is a rule of its own, which moves scores.
A holder writes its token as the run's worker, so that a record shows who wrote which run.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis.exceptions import RedisError

from hookyard.ledger.claims import Settlement
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.ledger.records import Attempt, Ending, Outcome, Record, Run, State
from hookyard.ledger.retention import Retention, prune_once
from hookyard.redis.client import close, open_redis
from hookyard.settings.types import MemoryLimit
from tests.audit import audit
from tests.fakes import a_delivery
from tests.model.reference import FINISHED, KEPT, LATER, LEASE, NOW, Reference

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

LEASE_MS = 600_000
RETRY_MS = 1_000_000
MAX_CRASHES = 2
IDS = st.sampled_from(["d-1", "d-2", "d-3"])
HANDLERS = st.sampled_from(["bot:a", "bot:b"])
ENDS = st.sampled_from(
    [State.SUCCEEDED, State.FAILED, State.IGNORED, State.RETRYING, State.WAITING, State.QUEUED]
)
NOT_UTF8 = b"\xff\xfe"
OVER = 1.5
"""The score of a run whose lease is over, and the grace after it as well: see claim.lua."""

KEEP_ALL = Retention(
    succeeded_days=7,
    succeeded_count=1000,
    failed_days=90,
    failed_count=1000,
    memory=MemoryLimit(size_bytes=2**40),
)
KEEP_NONE = Retention(
    succeeded_days=7, succeeded_count=0, failed_days=90, failed_count=0, memory=KEEP_ALL.memory
)


@dataclass
class Holder:
    """A worker's view of one run: it may be paused, cut off, or long replaced."""

    record: Record
    succeeded: set[str] = field(default_factory=set)
    is_over: bool = False

    @property
    def lease(self) -> tuple[str, str]:
        """The delivery and the token."""
        return self.record.delivery.id, self.record.token

    def run(self, ending: Ending) -> Run:
        """Give what it writes, as a worker does: with what it did not run carried on."""
        attempts = tuple(
            Attempt(handler=handler, outcome=Outcome.SUCCEEDED, number=1, started_ms=1, took_ms=1, final=True)
            for handler in sorted(self.succeeded)
        )
        before = self.record.standings().values()
        carried = tuple(standing for standing in before if standing.handler not in self.succeeded)
        return Run(
            number=self.record.claims,
            worker=self.record.token,
            started_ms=1,
            ending=ending,
            attempts=attempts,
            carried=carried,
        )


class LedgerMachine(RuleBasedStateMachine):
    """The rules; subclass it with the ``url`` of a Redis of its own."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.client: Any = redis.Redis.from_url(self.url)  # its types are those of both worlds
        self.opened = self.run(self._open())
        self.ledger = Ledger(self.opened, lease_ms=LEASE_MS, max_crashes=MAX_CRASHES)
        self.keys = self.ledger.keys
        self.listing = Listing(self.opened, self.keys)
        self.model = Reference(max_crashes=MAX_CRASHES)
        self.holders: list[Holder] = []
        self.told_written: dict[str, set[str]] = {}
        self.backup: tuple[dict[bytes, tuple[bytes, int]], Reference, dict[str, set[str]]] | None = None
        self.is_full = False

    async def _open(self) -> Any:
        return open_redis(self.url, timeout_s=10)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run what the ledger does."""
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        """Begin with an empty Redis."""
        self.client.flushall()

    def teardown(self) -> None:
        """Run everything to its end: nothing is lost, and every replay that was answered took place."""
        try:
            self.set_full(full=False)
            for _ in range(6):
                self.let_pass_time(list(self.model.deliveries))
                self.holders = []
                self.claim(worker="last", limit=9)
                self.claim_alone()
                while self.holders:
                    self.settle(0, State.SUCCEEDED, again=False)
            left = {one for one, it in self.model.deliveries.items() if it.state not in FINISHED}
            assert not left, f"never finished: {left}"
            self.it_is_as_the_reference_says()
        finally:
            self.client.flushall()
            self.client.close()
            self.run(close(self.opened))
            self.runner.close()

    # --- ingress and operators ------------------------------------------------------------------

    @rule(one=IDS, skew_s=st.sampled_from([0, 86_400, -86_400]))
    def accept(self, one: str, skew_s: int) -> None:
        """An ingress accepts a delivery; its clock may be a day off."""
        delivery = a_delivery(one)
        delivery = a_delivery(one, received_ms=delivery.received_ms + skew_s * 1000)
        if self.is_full and one not in self.model.deliveries:
            self._is_refused(lambda: self.ledger.accept(delivery))
        else:
            assert self.run(_awaited(lambda: self.ledger.accept(delivery))) is self.model.accept(one)

    @precondition(lambda self: self.model.deliveries)
    @rule(one=IDS, what=st.sampled_from(["all", "failed"]))
    def replay(self, one: str, what: Any) -> None:
        """An operator has a delivery run again."""
        if not self.is_full:
            answers = self.run(self.ledger.replay([one], what=what, now_ms=1))
            assert answers == {one: self.model.replay(one, what)}

    @precondition(lambda self: self.model.deliveries)
    @rule(one=IDS)
    def discard(self, one: str) -> None:
        """An operator removes a delivery; it may be accepted again."""
        assert self.run(self.ledger.discard([one])) == (one in self.model.deliveries)
        self._forget(one)

    @precondition(lambda self: self.model.has("finished"))
    @rule()
    def prune(self) -> None:
        """A worker prunes, and keeps nothing that is finished."""
        finished = {one for one, it in self.model.deliveries.items() if it.state in FINISHED}
        assert self.run(prune_once(self.ledger, KEEP_ALL)) == 0
        assert self.run(prune_once(self.ledger, KEEP_NONE)) == len(finished)
        for one in finished:
            self._forget(one)

    @precondition(lambda self: self.model.has("finished"))
    @rule(field=st.sampled_from(["done", "failed"]))
    def drop_bodies(self, field: str) -> None:
        """Bodies make room."""
        key = getattr(self.keys, field)
        self.client.delete(self.keys.dropped)  # what finishes within one millisecond is seen, too
        looked_at = self.run(
            self.ledger.scripts.call(
                "drop_bodies", keys=[key, self.keys.dropped], args=[self.keys.deliveries, field, 100]
            )
        )
        ids = [member.decode() for member in self.client.zrange(key, 0, -1)]
        assert looked_at == len(ids)
        for one in ids:
            self.model.drop_body(one)

    # --- workers --------------------------------------------------------------------------------

    @rule(worker=st.sampled_from(["w1", "w2"]), limit=st.integers(1, 5), woken=st.booleans())
    def claim(self, worker: str, limit: int, *, woken: bool = True) -> None:
        """A worker that was woken, or looks by itself, claims."""
        now_ms = self._now_ms()
        due = self.client.zrangebyscore(self.keys.queue, "-inf", now_ms, start=0, num=limit, withscores=True)
        if woken:
            self.client.lpop(self.keys.wake)
        claims = self.run(self.ledger.claim(worker=worker, limit=limit))
        known = [
            member.decode()
            for member, score in due
            if member != NOT_UTF8 and not self._is_first_look(member, score)
        ]
        token = claims.records[0].token if claims.records else ""
        expected = self.model.claim(known, token)
        assert {record.delivery.id for record in claims.records} == expected
        assert claims.foreign == ()
        self._began(claims.records)
        if not due:  # a claim that did nothing says when to look again: never at once
            assert claims.next_due_ms is None or claims.next_due_ms > claims.now_ms

    @precondition(lambda self: self.model.has("quarantined"))
    @rule()
    def claim_alone(self) -> None:
        """A worker claims from the quarantine."""
        first = self.client.zrangebyscore(self.keys.quarantine, "-inf", self._now_ms(), start=0, num=1)
        claims = self.run(self.ledger.claim_quarantined(worker="w1"))
        assert [record.delivery.id for record in claims.records] == [member.decode() for member in first]
        for record in claims.records:
            self.model.claim_alone(record.delivery.id, record.token)
        self._began(claims.records)

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 20))
    def confirm(self, which: int) -> None:
        """A holder says that it is about to start."""
        holder = self._holder(which)
        assert self.run(self.ledger.confirm(*holder.lease)) is self.model.renew(*holder.lease)

    @precondition(lambda self: self.holders)
    @rule(which=st.lists(st.integers(0, 20), min_size=1, max_size=4), times=st.integers(1, 2))
    def renew(self, which: list[int], times: int) -> None:
        """Holders renew, those that are long replaced as well; an answer may get lost, so twice."""
        leases = [self._holder(one).lease for one in which]
        for _ in range(times):
            lost = self.run(self.ledger.renew(leases))
            assert lost == [lease for lease in leases if not self.model.renew(*lease)]

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 20), handler=HANDLERS)
    def checkpoint(self, which: int, handler: str) -> None:
        """A holder records that a handler succeeded."""
        holder = self._holder(which)
        holder.succeeded.add(handler)
        written = self.run(self.ledger.checkpoint(*holder.lease, holder.run(Ending.RUNNING)))
        assert written is self.model.checkpoint(*holder.lease, holder.succeeded)

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 20), state=ENDS, again=st.booleans())
    def settle(self, which: int, state: State, *, again: bool) -> None:
        """A holder ends its run, or releases it; where the answer got lost, it sends that again later."""
        holder = self._holder(which)
        settlement = Settlement(
            delivery_id=holder.record.delivery.id,
            token=holder.record.token,
            state=state,
            delay_ms=RETRY_MS if state in {State.RETRYING, State.WAITING} else 0,
            error="no" if state is State.FAILED else None,
            run=holder.run(Ending.SETTLED),
        )
        written = self.run(_awaited(lambda: self.ledger.settle(settlement)))
        assert written is self.model.settle(*holder.lease, state.value, holder.succeeded)
        if written:
            self.told_written.setdefault(holder.record.delivery.id, set()).add(holder.record.token)
        if not again:
            self.holders.remove(holder)

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 20))
    def die(self, which: int) -> None:
        """A worker dies: it writes nothing any more."""
        self.holders.remove(self._holder(which))

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 20), confirmed=st.booleans())
    def seem_dead(self, which: int, *, confirmed: bool) -> None:
        """A worker is cut off, mostly after it confirmed; its lease ends, and another worker looks."""
        if confirmed:
            self.confirm(which)
        self.let_pass_time([self._holder(which).record.delivery.id])
        self.claim(worker="w2", limit=9)

    @precondition(lambda self: self.model.has("quarantined"))
    @rule(times=st.integers(1, MAX_CRASHES), replayed=st.sampled_from([None, None, "all", "failed"]))
    def crash_alone(self, times: int, replayed: str | None) -> None:
        """A quarantined delivery is claimed when its wait is over, perhaps replayed, and seems to crash."""
        for _ in range(times):
            apart = [one for one, it in self.model.deliveries.items() if it.waits_apart]
            if not apart:
                return
            self.let_pass_time(apart)
            self.claim_alone()
            if replayed is not None:
                self.replay(self.holders[-1].lease[0], replayed)
            self.seem_dead(len(self.holders) - 1, confirmed=True)

    # --- what happens ---------------------------------------------------------------------------

    @precondition(lambda self: self.model.deliveries)
    @rule(ids=st.lists(IDS, min_size=1, max_size=3, unique=True), with_grace=st.booleans())
    def let_pass_time(self, ids: list[str], *, with_grace: bool = True) -> None:
        """Leases end, and mostly their grace as well; retries and quarantined deliveries fall due."""
        for one in ids:
            it = self.model.deliveries.get(one)
            if it is not None and it.state not in FINISHED:
                key = self.keys.quarantine if it.waits_apart else self.keys.queue
                with self._room():
                    is_over = with_grace and it.state == "running"
                    self.client.zadd(key, {one: OVER if is_over else 1}, xx=True)
                it.due = NOW

    @precondition(lambda self: self.model.deliveries)
    @rule()
    def fail_over_later(self) -> None:
        """A replica falls behind from here on."""
        kept = {key: (self.client.dump(key), self.client.pttl(key)) for key in self.client.keys("*")}
        self.backup = (kept, copy.deepcopy(self.model), copy.deepcopy(self.told_written))

    @precondition(lambda self: self.backup is not None)
    @rule()
    def fail_over(self) -> None:
        """The replica takes over; the workers live, and hold what it does not know of."""
        assert self.backup is not None
        kept, self.model, self.told_written = copy.deepcopy(self.backup)
        self.client.flushdb()
        with self._room():
            for key, (dumped, ttl_ms) in kept.items():
                self.client.restore(key, max(0, ttl_ms), dumped)

    @rule()
    def add_member_of_any_bytes(self) -> None:
        """Somebody puts something into the queue that nobody can run."""
        with self._room():
            self.client.zadd(self.keys.queue, {NOT_UTF8: 0})

    @rule(full=st.booleans())
    def set_full(self, *, full: bool) -> None:
        """Redis is full, or there is room again; it forgets the scripts."""
        self.is_full = full
        self.client.config_set("maxmemory", 1 if full else 0)
        self.client.script_flush()

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        """Sets, counts and keys are those of the records."""
        stranger = NOT_UTF8.decode(errors="replace")  # it is there until the next claim
        assert [fault for fault in audit(self.client) if stranger not in fault] == []

    @invariant()
    def it_is_as_the_reference_says(self) -> None:
        """Every record shows what the reference has."""
        now_ms = self._now_ms()
        stored = {key.decode().removeprefix(self.keys.deliveries) for key in self.client.keys("*:delivery:*")}
        assert stored == set(self.model.deliveries)
        for one, it in self.model.deliveries.items():
            record = self.run(self.listing.get(one))
            assert (record.state.value, record.claims, record.runs) == (it.state, it.claims, it.runs), one
            assert record.token == (it.token or ""), one
            assert record.crashes == len(it.crashed_by), one
            assert (record.round_from, record.done_from) == (it.round_from, it.done_from), one
            assert (record.quarantined_ms is not None) == it.quarantined, one
            assert (record.dropped_ms is None) == it.has_body, one
            assert record.succeeded_handlers() == it.successes(), one
            if it.state in FINISHED:
                assert record.due_ms is None, one
                assert not it.owes_run, f"{one}: a replay was answered and no run followed"
            else:
                assert _when(record.due_ms - now_ms) == it.due, one
            self._only_holders_wrote(one, record)

    def _only_holders_wrote(self, one: str, record: Record) -> None:
        written = {run.number: run.worker for run in record.history if run.worker not in {"w1", "w2", "last"}}
        expected = self.model.deliveries[one].written
        assert written.items() <= expected.items(), one
        missing = self.told_written.get(one, set()) - set(written.values())
        assert not missing or record.claims > KEPT, f"{one}: told as written, and it is not there"

    @invariant()
    def a_worker_is_woken(self) -> None:
        """What no worker knows of yet has its token, and only one."""
        tokens = self.client.llen(self.keys.wake)
        assert tokens <= 1
        assert tokens == 1 or not self.model.must_wake

    # --- helpers --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """Let the test itself write, even where Redis is full."""
        self.client.config_set("maxmemory", 0)
        yield
        self.client.config_set("maxmemory", 1 if self.is_full else 0)

    def _now_ms(self) -> int:
        seconds, micros = self.client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def _is_first_look(self, member: bytes, score: float) -> bool:
        """Return whether it is only put off, so that its holder may renew."""
        it = self.model.deliveries[member.decode()]
        if it.state != "running" or score == OVER:
            return False
        it.due = 300  # a tenth of the lease
        return True

    def _holder(self, which: int) -> Holder:
        return self.holders[which % len(self.holders)]

    def _began(self, records: tuple[Record, ...]) -> None:
        for record in records:
            self.holders.append(Holder(record))
            successes = self.model.deliveries[record.delivery.id].successes()
            assert record.succeeded_handlers() == successes, "a handler that succeeded would run again"

    def _forget(self, one: str) -> None:
        self.model.deliveries.pop(one, None)
        self.told_written.pop(one, None)

    def _is_refused(self, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            self.run(_awaited(work))
        except RedisError as exc:
            assert "OOM" in str(exc) or "maxmemory" in str(exc)  # noqa: PT017 - either may come
        else:
            raise AssertionError("a full Redis took a delivery")


async def _awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def _when(in_ms: int) -> str | int:
    for until_ms, when in ((0, NOW), (30_000, 30), (300_000, 300), (LEASE_MS, LEASE)):
        if in_ms <= until_ms:
            return when
    return LATER
