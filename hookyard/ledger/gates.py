"""Whether a handler may start now: one at a time for a key, the newest only, so many at once or a minute.

What a policy limits, it limits in the whole fleet, so Redis decides (``scripts/admit.lua``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

import msgspec
from msgspec import Struct

from hookyard.redis.batching import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys
    from hookyard.redis.scripts import ScriptRunner

LINE_SEPARATOR: Final = "\n"


class Verdict(StrEnum):
    """Whether a handler may start; see ``scripts/admit.lua``."""

    GO = "go"
    WAIT = "wait"
    TURN = "turn"
    SOON = "soon"
    SUPERSEDED = "superseded"
    TRIPPED = "tripped"
    LOST = "lost"


class Line(Struct, frozen=True, array_like=True, gc=False):
    """What a delivery waits for in one handler: its turn among those with one *key*."""

    name: str
    key: str
    is_latest: bool = False


class Limit(Struct, frozen=True, kw_only=True, gc=False):
    """What limits one handler of one delivery.

    ``line``: the line it stands in, ``most`` of which may run at once (0: any number); ``is_latest``: only
    the newest, and after ``quiet_ms`` without a newer one. ``starts`` in ``per_ms``: 0 for any number.
    ``loop``: what trips after ``runs`` in ``within_ms``.
    """

    handler: str
    line: str = ""
    most: int = 0
    is_latest: bool = False
    quiet_ms: int = 0
    starts: int = 0
    per_ms: int = 0
    loop: str = ""
    runs: int = 0
    within_ms: int = 0


class Tripped(Struct, frozen=True, gc=False):
    """A loop that was broken: a handler that ran too often for an object, and since when it does not."""

    handler: str
    object: str
    since_ms: int = 0


class Gates:
    """Asks Redis. *scripts* are those of the ledger."""

    def __init__(self, scripts: ScriptRunner, keys: LedgerKeys) -> None:
        self._scripts = scripts
        self._keys = keys
        self._entering: GroupCommit[tuple[str, bytes]] = GroupCommit(
            scripts.batch("enter", keys=[keys.queue, keys.wake], args=[keys.deliveries])
        )

    async def enter(self, delivery_id: str, lines: Sequence[Line]) -> None:
        """Have a delivery that was claimed join the lines of its handlers, none where it has none."""
        await self._entering((delivery_id, msgspec.msgpack.encode(lines) if lines else b""))

    async def admit(self, delivery_id: str, token: str, limit: Limit) -> tuple[Verdict, int]:
        """Return whether a run may start a handler, and until when it waits (Unix ms, Redis's clock)."""
        answer = await self._scripts.call(
            "admit",
            keys=[self._keys.queue, self._keys.wake],
            args=[
                self._keys.deliveries,
                delivery_id,
                token,
                limit.handler,
                limit.line,
                limit.most,
                int(limit.is_latest),
                limit.quiet_ms,
                limit.starts,
                limit.per_ms,
                limit.loop,
                limit.runs,
                limit.within_ms,
            ],
        )
        return Verdict(answer[0].decode()), int(answer[1])


async def tripped(redis: ArqRedis, keys: LedgerKeys) -> list[Tripped]:
    """Return the loops that have tripped, the latest first."""
    found = await cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(keys.tripped))
    loops = [
        Tripped(*name.decode(errors="replace").rpartition(LINE_SEPARATOR)[::2], since_ms=int(since))
        for name, since in found.items()
    ]
    return sorted(loops, key=lambda one: one.since_ms, reverse=True)


async def lift(redis: ArqRedis, keys: LedgerKeys, loop: Tripped) -> bool:
    """Let a handler run again for an object; return whether it was tripped there."""
    name = f"{loop.handler}{LINE_SEPARATOR}{loop.object}"
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hdel(keys.tripped, name)
        pipe.delete(keys.loop + name)
        removed, _ = await pipe.execute()
    return bool(removed)
