"""What goes wrong in a chaos run, one thing after the other, at random from a seed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import redis

from hookyard.ledger.keys import LedgerKeys
from tests.chaos.yard import LEASE_S

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.chaos.yard import Member, Yard


_FIRST: Final = (
    "kill -9 worker",
    "pause worker for longer than a lease",
    "Redis away for longer than a lease",
)


class Faults:
    """Breaks *yard*; ``counts`` says how often what was done."""

    def __init__(self, yard: Yard, chance: random.Random, *, every_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self._yard = yard
        self._chance = chance
        self._every_s = every_s
        self._kinds: list[tuple[int, str, Callable[[], Awaitable[None]]]] = [
            (5, "kill -9 worker", self._kill_worker),
            (3, "kill -9 ingress", self._kill_ingress),
            (2, "SIGTERM worker", self._term_worker),
            (3, "pause worker", self._pause_worker),
            (2, "pause worker for longer than a lease", self._pause_worker_for_long),
            (1, "pause ingress", self._pause_ingress),
            (1, "pause Redis", self._pause_redis),
            (1, "restart Redis", self._restart_redis),
            (1, "kill -9 Redis", self._kill_redis),
            (1, "Redis away for longer than a lease", self._redis_away_for_long),
            (1, "DEBUG SLEEP", self._sleep_redis),
            (1, "CLIENT KILL", self._kill_clients),
            (1, "SCRIPT FLUSH", self._flush_scripts),
        ]

    async def go_on(self) -> None:
        """Break one thing after the other until cancelled, at first everything once.

        What a run has to get to comes first.
        """
        once = self._chance.sample(self._kinds, len(self._kinds))
        once.sort(key=lambda kind: kind[1] in _FIRST)
        while True:
            await asyncio.sleep(self._chance.uniform(0.2, 2 * self._every_s - 0.2))
            weights = [weight for weight, _, _ in self._kinds]
            _, name, break_it = once.pop() if once else self._chance.choices(self._kinds, weights)[0]
            self.counts[name] += 1
            await break_it()

    async def _kill_worker(self) -> None:
        for member in self._one("worker", "stock"):
            self._yard.kill(member)

    async def _kill_ingress(self) -> None:
        for member in self._one("ingress"):
            self._yard.kill(member)

    async def _term_worker(self) -> None:
        for member in self._one("worker", "stock"):
            if member.process:
                member.process.terminate()

    async def _pause_worker(self) -> None:
        await self._pause_one("worker", self._chance.uniform(1, 2 * LEASE_S))

    async def _pause_worker_for_long(self) -> None:
        """Pause a worker while it runs something, until another has taken that over: it does lose a lease."""
        for _ in range(100):
            for member in self._one("worker"):
                assert member.process is not None
                async with self._paused(member.process.pid):
                    held = await asyncio.to_thread(self._held, member.process.pid)
                    if held is not None:
                        await self._taken_over(held)
                        return
            await asyncio.sleep(0.05)

    async def _taken_over(self, held: tuple[str, bytes]) -> None:
        """Wait until a delivery has another token, or is gone; for ten leases at most."""
        for _ in range(100):
            await asyncio.sleep(LEASE_S / 10)
            if await asyncio.to_thread(self._token, held[0]) not in {held[1], b"?"}:
                return

    def _held(self, worker_pid: int) -> tuple[str, bytes] | None:
        """Return a delivery that Redis has as running in this worker, with its token."""
        keys = LedgerKeys()
        with (
            contextlib.suppress(redis.RedisError),
            redis.Redis.from_url(self._yard.redis.url, socket_timeout=10) as client,
        ):
            queued = [member.decode() for member in client.zrange(keys.queue, 0, -1)]
            for delivery_id in queued:
                found = client.hmget(keys.delivery(delivery_id), "state", "worker", "token")
                if found[0] == b"running" and f"-{worker_pid}-".encode() in (found[1] or b""):
                    return delivery_id, found[2]
        return None

    def _token(self, delivery_id: str) -> bytes | None:
        """Return the token of a delivery's latest claim; ``?`` while Redis does not say."""
        with (
            contextlib.suppress(redis.RedisError),
            redis.Redis.from_url(self._yard.redis.url, socket_timeout=10) as client,
        ):
            found: bytes | None = client.hget(LedgerKeys().delivery(delivery_id), "token")
            return found
        return b"?"

    async def _pause_ingress(self) -> None:
        await self._pause_one("ingress", self._chance.uniform(0.5, 2))

    async def _pause_redis(self) -> None:
        if self._yard.redis.pid:
            await self._pause(self._yard.redis.pid, self._chance.uniform(1, 4))

    async def _restart_redis(self) -> None:
        await self._redis_again(self._yard.redis.stop, self._chance.uniform(0, LEASE_S))

    async def _kill_redis(self) -> None:
        await self._redis_again(self._yard.redis.kill, self._chance.uniform(0, LEASE_S))

    async def _redis_away_for_long(self) -> None:
        await self._redis_again(self._yard.redis.stop, self._chance.uniform(1.2 * LEASE_S, 3 * LEASE_S))

    async def _redis_again(self, end: Callable[[], None], away_s: float) -> None:
        again = asyncio.ensure_future(asyncio.to_thread(self._end_and_start, end, away_s))
        try:
            await asyncio.shield(again)
        except asyncio.CancelledError:
            await again
            raise

    def _end_and_start(self, end: Callable[[], None], away_s: float) -> None:
        end()
        time.sleep(away_s)  # the fault itself
        self._yard.redis.start()

    async def _sleep_redis(self) -> None:
        seconds = self._chance.uniform(0.5, 3)
        await self._command("DEBUG", "SLEEP", f"{seconds:.2f}")

    async def _kill_clients(self) -> None:
        await self._command("CLIENT", "KILL", "TYPE", "normal")

    async def _flush_scripts(self) -> None:
        await self._command("SCRIPT", "FLUSH")

    async def _command(self, *command: str) -> None:
        def call() -> None:
            with redis.Redis.from_url(self._yard.redis.url, socket_timeout=10) as client:
                client.execute_command(*command)

        with contextlib.suppress(redis.RedisError):
            await asyncio.to_thread(call)

    async def _pause_one(self, kind: str, seconds: float) -> None:
        for member in self._one(kind):
            if member.process:
                await self._pause(member.process.pid, seconds)

    async def _pause(self, pid: int, seconds: float) -> None:
        async with self._paused(pid):
            await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def _paused(self, pid: int) -> AsyncIterator[None]:
        """Stop a process meanwhile; it may be killed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _one(self, *kinds: str) -> list[Member]:
        alive = self._yard.alive(*kinds)
        return [self._chance.choice(alive)] if alive else []
