"""Bulk orders: replay or discard all deliveries that a filter means, step by step, to be paused and stopped.

An order is a hash in Redis. Any console that runs carries out a step of an order that nobody else is at, so
an order goes on when its console is restarted. It meets what was received before it was given, the newest
first, and nothing twice.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from hookyard.console import filters
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arq.connections import ArqRedis

    from hookyard.console.identities import Identity
    from hookyard.console.store import Store
    from hookyard.ledger.ledger import Ledger
    from hookyard.ledger.query import Filter
    from hookyard.ledger.search import Search

log = logs.get_logger("console")

STEP: Final = 100
PERIOD_S: Final = 0.25
"""A step of at most ``STEP`` deliveries each so often: the pace of an order."""

KEPT_S: Final = 30 * 24 * 3600
MOST_KEPT: Final = 1000
_AT_IT_MS: Final = 10_000
KINDS: Final = ("replay", "replay failed", "discard")
OPEN: Final = frozenset({"running", "paused"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One bulk order. ``of``: how many it means, ``None`` where that was not known when it was given."""

    id: str
    kind: str
    filter: str
    by: str
    given_ms: int
    state: str
    met: int = 0
    touched: int = 0
    of: int | None = None
    cursor: str | None = None
    ended_ms: int | None = None


class Orders:
    """Gives, carries out and steers bulk orders."""

    def __init__(self, redis: ArqRedis, ledger: Ledger, search: Search, store: Store) -> None:
        self._redis = redis
        self._ledger = ledger
        self._search = search
        self._store = store
        self._open = store.key("orders")
        self._all = store.key("orders:all")

    async def give(self, who: Identity, kind: str, wanted: Filter) -> Order:
        """Give an order for all that *wanted* means now.

        :raises FilterError: when the filter cannot be written down as it is.
        """
        now_ms = await self._store.now_ms()
        bounded = replace(
            wanted, until_ms=now_ms if wanted.until_ms is None else min(now_ms, wanted.until_ms)
        )
        text = filters.text_of(bounded)
        if filters.parse(text, now_ms=now_ms) != bounded:  # it would meet something else than what was asked
            raise filters.FilterError(
                "a bulk order's text must have no quotation marks, colons or odd blanks"
            )
        order = Order(
            id=secrets.token_hex(8),
            kind=kind,
            filter=text,
            by=who.name,
            given_ms=now_ms,
            state="running",
            of=await self._search.count(wanted),
        )
        await self._write(order)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(self._open, {order.id: now_ms})
            pipe.zadd(self._all, {order.id: now_ms})
            pipe.zremrangebyrank(self._all, 0, -MOST_KEPT - 1)
            pipe.expire(self._all, KEPT_S)
            await pipe.execute()
        return order

    async def get(self, order_id: str) -> Order | None:
        """Return one order."""
        fields = await self._redis.hgetall(self._key(order_id))  # type: ignore[misc]
        return _order(order_id, fields) if fields else None

    async def latest(self, limit: int = 100) -> list[Order]:
        """Return the orders given last, the latest first."""
        found = [await self.get(one.decode()) for one in await self._redis.zrevrange(self._all, 0, limit - 1)]
        return [order for order in found if order is not None]

    async def steer(self, order_id: str, state: str) -> Order | None:
        """Pause an order, go on with it or stop it; one that has ended stays as it is."""
        order = await self.get(order_id)
        if order is None or order.state not in OPEN:
            return order
        await self._redis.hset(self._key(order_id), "state", state)  # type: ignore[misc]
        if state == "stopped":
            await self._end(replace(order, state=state))
        return await self.get(order_id)

    async def carry_out(self) -> None:
        """Carry out the orders that are open, for as long as this is not cancelled."""
        while True:
            try:
                for one in await self._redis.zrange(self._open, 0, -1):
                    await self.step(one.decode())
            except (RedisError, OSError) as exc:
                log.warning("bulk orders wait for Redis", error=type(exc).__name__)
            await asyncio.sleep(PERIOD_S)

    async def step(self, order_id: str) -> None:
        """Carry out the next step of one order, unless another console is at it."""
        mine = secrets.token_hex(8)
        lock = self._store.key(f"order-lock:{order_id}")
        if not await self._redis.set(lock, mine, nx=True, px=_AT_IT_MS):
            return
        try:
            order = await self.get(order_id)
            if order is None or order.state not in OPEN:
                await self._redis.zrem(self._open, order_id)
            elif order.state == "running":
                await self._step(order)
        finally:
            if await self._redis.get(lock) == mine.encode():
                await self._redis.delete(lock)

    async def _step(self, order: Order) -> None:
        wanted = filters.parse(order.filter, now_ms=order.given_ms)
        page = await self._search.page(wanted, limit=STEP, cursor=order.cursor)
        ids = [record.delivery.id for record in page.records]
        touched = 0
        if ids and order.kind == "discard":
            touched = await self._ledger.discard(ids)
        elif ids:
            what = "failed" if order.kind == "replay failed" else "all"
            answers = await self._ledger.replay(ids, what=what, now_ms=await self._store.now_ms())  # type: ignore[arg-type]
            touched = sum(1 for answer in answers.values() if answer in {"queued", "running"})
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hincrby(self._key(order.id), "met", len(ids))
            pipe.hincrby(self._key(order.id), "touched", touched)
            if page.next_cursor is not None:
                pipe.hset(self._key(order.id), "cursor", page.next_cursor)
            await pipe.execute()
        if page.next_cursor is None:
            await self._end(replace(order, state="done"))

    async def _end(self, order: Order) -> None:
        fields = {"state": order.state, "ended_ms": await self._store.now_ms()}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._key(order.id), mapping=fields)
            pipe.zrem(self._open, order.id)
            await pipe.execute()

    async def _write(self, order: Order) -> None:
        told = {
            name: getattr(order, name)
            for name in ("kind", "filter", "by", "given_ms", "state", "of")
            if getattr(order, name) is not None
        }
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._key(order.id), mapping=told)
            pipe.expire(self._key(order.id), KEPT_S)
            await pipe.execute()

    def _key(self, order_id: str) -> str:
        return self._store.key(f"order:{order_id}")


def _order(order_id: str, fields: Mapping[bytes, bytes]) -> Order:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    numbers: dict[str, Any] = {
        name: int(text[name]) for name in ("given_ms", "met", "touched", "of", "ended_ms") if name in text
    }
    return Order(
        id=order_id,
        kind=text["kind"],
        filter=text["filter"],
        by=text["by"],
        state=text["state"],
        cursor=text.get("cursor"),
        **numbers,
    )
