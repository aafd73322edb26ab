"""What changes in the ledger, as it happens, for pages and programs that follow it.

One task of a console looks at Redis each second while anybody follows, however many they are. Nothing is
written for it: what is new is at the end of the sorted sets that the ledger has anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from hookyard.ledger.records import State

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys

PERIOD_S: Final = 1.0
MOST_IDS: Final = 50
"""So many ids of each kind are told at most; the counts are whole."""

MOST_FOLLOWERS: Final = 200
_WAITING: Final = 16


class TooManyFollowers(Exception):
    """As many follow as may."""

    def __init__(self) -> None:
        super().__init__(f"{MOST_FOLLOWERS} others follow the changes already; try again later.")


class Changes:
    """Tells followers what was accepted and what finished since they were last told."""

    def __init__(self, redis: ArqRedis, keys: LedgerKeys) -> None:
        self._redis = redis
        self._sets = {"accepted": keys.received, "failed": keys.failed, "done": keys.done}
        self._states = keys.states
        self._followers: set[asyncio.Queue[dict[str, Any]]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether as many follow as may."""
        return len(self._followers) >= MOST_FOLLOWERS

    async def follow(self) -> AsyncGenerator[dict[str, Any]]:
        """Yield each change, and every second that nothing changed an empty dictionary, until it is closed.

        :raises TooManyFollowers: when as many follow as may.
        """
        if self.is_full:
            raise TooManyFollowers
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING)
        self._followers.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="changes")
        try:
            while True:
                yield await queue.get()
        finally:
            self._followers.discard(queue)

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        since: dict[str, int] | None = None
        while self._followers:
            try:
                if since is None:
                    since = dict.fromkeys(self._sets, await self._now_ms())
                change, since = await self._look(since)
            except (RedisError, OSError):
                change = {"away": True}
            for queue in list(self._followers):
                if queue.full():  # somebody who does not read; the next change tells them as much
                    queue.get_nowait()
                queue.put_nowait(change)
            await asyncio.sleep(PERIOD_S)

    async def _look(self, since: dict[str, int]) -> tuple[dict[str, Any], dict[str, int]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, key in self._sets.items():
                pipe.zcount(key, f"({since[name]}", "+inf")
                pipe.zrevrangebyscore(key, "+inf", f"({since[name]}", start=0, num=MOST_IDS, withscores=True)
            pipe.hgetall(self._states)
            *answers, states = await pipe.execute()
        change: dict[str, Any] = {}
        latest = dict(since)
        for (name, count), found in zip(
            zip(self._sets, answers[::2], strict=True), answers[1::2], strict=True
        ):
            if found:
                change[name] = {"count": count, "ids": [one.decode(errors="replace") for one, _ in found]}
                latest[name] = max(since[name], int(found[0][1]))
        if change:
            change["states"] = {state.value: int(states.get(state.value.encode(), 0)) for state in State}
        return change, latest

    async def _now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000
