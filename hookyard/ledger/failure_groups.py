"""Groups of failures: what failed in the same way, since when, how often, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys

DAY_MS: Final = 86_400_000
MOST: Final = 200
"""So many groups are read at most, those met last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureGroup:
    """What is known of one kind of failure. Times are Redis's, Unix ms.

    ``count``: attempts that ever ended so, ``days``: by day before *now*, the oldest first. ``standing``:
    deliveries of which a handler stands so just now. ``delivery`` is the latest one.
    """

    fingerprint: str
    handler: str
    outcome: str
    error: str
    first_ms: int
    last_ms: int
    count: int
    days: tuple[int, ...]
    standing: int
    delivery: str


class Failures:
    """Reads the groups of one installation."""

    def __init__(self, redis: ArqRedis, keys: LedgerKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def latest(self, *, now_ms: int, days: int = 14, limit: int = MOST) -> list[FailureGroup]:
        """Return the groups met last, the latest first."""
        found = await self._redis.zrevrange(self._keys.failures, 0, limit - 1)
        return await self._read([one.decode() for one in found], now_ms=now_ms, days=days)

    async def get(self, fingerprint: str, *, now_ms: int, days: int = 14) -> FailureGroup | None:
        """Return one group; ``None`` when nothing is known of it, or not any more."""
        found = await self._read([fingerprint], now_ms=now_ms, days=days)
        return found[0] if found else None

    async def total(self) -> int:
        """Return how many groups there are."""
        return int(await self._redis.zcard(self._keys.failures))

    async def _read(self, fingerprints: list[str], *, now_ms: int, days: int) -> list[FailureGroup]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in fingerprints:
                pipe.hgetall(self._keys.failure + one)
                pipe.zcard(f"{self._keys.by}error:{one}")
            answers = await pipe.execute() if fingerprints else []
        today = now_ms // DAY_MS
        return [
            FailureGroup(
                fingerprint=one,
                handler=_text(fields, b"handler"),
                outcome=_text(fields, b"outcome"),
                error=_text(fields, b"error"),
                first_ms=int(fields[b"first"]),
                last_ms=int(fields[b"last"]),
                count=int(fields[b"count"]),
                days=tuple(int(fields.get(b"day:%d" % (today - ago), 0)) for ago in reversed(range(days))),
                standing=standing,
                delivery=_text(fields, b"delivery"),
            )
            for one, fields, standing in zip(fingerprints, answers[::2], answers[1::2], strict=True)
            if {b"first", b"last", b"count"} <= fields.keys()
        ]


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode(errors="replace")
