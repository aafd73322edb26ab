"""What is known of the bot's schedules: written by the worker that ticks, read by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys


class Schedule(Struct, frozen=True, kw_only=True):
    """A schedule, its latest tick and the next one (Unix ms). ``looked_ms``: seen to until then."""

    cron: str
    timezone: str
    looked_ms: int
    last_ms: int | None = None
    next_ms: int | None = None


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Schedule).decode


async def read(redis: ArqRedis, keys: LedgerKeys, names: Sequence[str]) -> list[Schedule | None]:
    """Return what is known of these schedules; one that a newer version wrote counts as unknown."""
    found = await cast("Awaitable[list[bytes | None]]", redis.hmget(keys.schedules, [*names]))
    return [_read(one) for one in found]


async def read_all(redis: ArqRedis, keys: LedgerKeys) -> dict[str, Schedule]:
    """Return all schedules by name, those that come next first."""
    found = await cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(keys.schedules))
    known = {name.decode(errors="replace"): _read(packed) for name, packed in found.items()}
    there = [(name, one) for name, one in known.items() if one is not None]
    return dict(sorted(there, key=lambda pair: (pair[1].next_ms is None, pair[1].next_ms or 0, pair[0])))


async def write(redis: ArqRedis, keys: LedgerKeys, name: str, schedule: Schedule) -> None:
    """Write down how a schedule stands."""
    packed = cast("str", _pack(schedule))  # redis-py's hints know of no bytes
    await cast("Awaitable[int]", redis.hset(keys.schedules, name, packed))


async def forget(redis: ArqRedis, keys: LedgerKeys, name: str) -> bool:
    """Forget a schedule that the bot does not have any more; return whether it was known."""
    return bool(await cast("Awaitable[int]", redis.hdel(keys.schedules, name)))


def _read(packed: bytes | None) -> Schedule | None:
    try:
        return _unpack(packed) if packed else None
    except msgspec.DecodeError:
        return None
