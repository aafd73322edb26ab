"""How a worker learns that there may be something to claim, without polling.

The ledger puts at most one token into the wake-up list; an idle worker blocks on it. Whoever takes
the token claims what it can, and the claim puts the token back when more is due. A token that was
lost with the worker, or the connection, that took it costs the others one ``WAIT_S``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hookyard.redis.client import close
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from arq.connections import ArqRedis

log = logs.get_logger("worker")

WAIT_S: Final = 5.0
_ANSWER_S: Final = 2.0
"""How much later than that Redis may answer; then the connection leads nowhere and is given up."""

_PAUSE_S: Final = 0.25


class WakeUp:
    """``look`` is set when something may be there to claim.

    ``is_slack`` is set unless more is known to be due: then there is no need to be told, and the token is
    better left to another worker.

    :param redis: a client of its own, without timeout, since it blocks.
    :param free: how many slots are free.
    :param pass_on: leaves the token to another worker.
    """

    def __init__(
        self, redis: ArqRedis, key: str, *, free: Callable[[], int], pass_on: Callable[[], Awaitable[None]]
    ) -> None:
        self.look = asyncio.Event()
        self.look.set()
        self.room = asyncio.Event()
        self.is_slack = asyncio.Event()
        self.is_slack.set()
        self._redis = redis
        self._key = key
        self._free = free
        self._pass_on = pass_on

    async def watch(self) -> None:
        """Wait for tokens while slots are free, for ever; tolerates Redis outages."""
        while True:
            while self._free() <= 0:
                self.room.clear()
                await self.room.wait()
            if not self.is_slack.is_set():
                await self.is_slack.wait()
                continue
            try:
                async with asyncio.timeout(WAIT_S + _ANSWER_S):
                    token = await self._redis.blpop([self._key], timeout=WAIT_S)  # type: ignore[misc,arg-type]  # floats
                if token and self._free() <= 0:
                    # all slots were taken meanwhile: another worker shall have the token
                    await self._pass_on()
            except Exception as exc:
                if not is_redis_away(exc):
                    log.exception("waiting for the wake-up failed")
                await asyncio.sleep(_PAUSE_S)
            self.look.set()

    def claimed(self, *, more: bool) -> None:
        """Note that something was claimed, and whether more is due."""
        if more:
            self.look.set()
            self.is_slack.clear()
        else:
            self.is_slack.set()

    def slot_freed(self) -> None:
        """Say that a slot is free again: there may be something for it."""
        self.room.set()
        self.look.set()

    async def close(self) -> None:
        """Close the connection."""
        await close(self._redis)
