"""What the console itself keeps in Redis: who did what, sign-ins that failed, sessions that were ended.

All of it is bounded: it expires, or the oldest goes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hookyard.console.sessions import MAX_AGE_S

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.console.identities import Identity

TRIES: Final = 5
"""So many failed sign-ins in a row, of one name or from one address, close the door for a while."""

CLOSED_S: Final = 300
AUDITED: Final = 10_000
_REMEMBERED_S: Final = 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One thing that somebody did, at Redis's time: to what, and what came of it."""

    at_ms: int
    name: str
    role: str
    what: str
    on: str
    result: str


class Store:
    """The console's own keys: ``<prefix>:console:…``."""

    def __init__(self, redis: ArqRedis, prefix: str) -> None:
        self._redis = redis
        self._prefix = f"{prefix}:console:"

    def key(self, name: str) -> str:
        """Return one of the console's keys."""
        return self._prefix + name

    async def now_ms(self) -> int:
        """Return Redis's time."""
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    # --- who did what ---------------------------------------------------------------------------

    async def audit(self, who: Identity, what: str, *, on: str, result: str) -> None:
        """Record that somebody did something."""
        told = {
            "name": who.name,
            "role": who.role.word,
            "what": what,
            "on": on[:1000],
            "result": result[:500],
        }
        await self._redis.xadd(self.key("audit"), told, maxlen=AUDITED, approximate=True)  # type: ignore[arg-type]

    async def audited(self, *, limit: int, before: str | None = None) -> list[tuple[str, AuditEntry]]:
        """Return what was done, the latest first, each with its cursor."""
        found = await self._redis.xrevrange(
            self.key("audit"), max=f"({before}" if before else "+", count=limit
        )
        return [
            (
                place.decode(),
                AuditEntry(
                    at_ms=int(place.partition(b"-")[0]),
                    **{
                        name: fields.get(name.encode(), b"").decode(errors="replace")
                        for name in ("name", "role", "what", "on", "result")
                    },
                ),
            )
            for place, fields in found
        ]

    # --- signing in -----------------------------------------------------------------------------

    async def closed_for_s(self, *names: str) -> int:
        """Return for how many seconds the door stays closed to any of *names*; 0: it is open."""
        longest = 0
        for name in names:
            key = self._tries(name)
            count = await self._redis.get(key)
            if count is not None and int(count) >= TRIES:
                longest = max(longest, await self._redis.ttl(key), 1)
        return longest

    async def has_failed(self, *names: str) -> None:
        """Count a failed sign-in against each of *names*."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for name in names:
                pipe.set(self._tries(name), 0, ex=CLOSED_S, nx=True)
                pipe.incr(self._tries(name))
            await pipe.execute()

    async def has_signed_in(self, *names: str) -> None:
        """Forget the failed sign-ins of *names*."""
        await self._redis.delete(*(self._tries(name) for name in names))

    async def use_once(self, secret: str) -> bool:
        """Return whether *secret* was not used before; it is from now on."""
        key = self.key("used:" + hashlib.sha256(secret.encode(errors="replace")).hexdigest())
        return bool(await self._redis.set(key, 1, nx=True, ex=30 * 24 * 3600))

    async def end_session(self, sid: str) -> None:
        """Remember that a session was ended."""
        await self._redis.set(self.key(f"ended:{sid}"), 1, ex=MAX_AGE_S)

    async def has_ended(self, sid: str) -> bool:
        """Return whether a session was ended."""
        return bool(await self._redis.exists(self.key(f"ended:{sid}")))

    # --- things that are done once ----------------------------------------------------------------

    async def begin_once(self, who: Identity, key: str) -> dict[str, Any] | None:
        """Return what came of the action that *key* names; ``None``: it is to be carried out now.

        What is under way still counts as carried out, with an empty result.
        """
        name = self._once(who, key)
        if await self._redis.set(name, "{}", nx=True, ex=_REMEMBERED_S):
            return None
        stored = await self._redis.get(name)
        found: dict[str, Any] = json.loads(stored or b"{}")
        return found

    async def finish_once(self, who: Identity, key: str, result: dict[str, Any] | None) -> None:
        """Remember what came of the action that *key* names; ``None``: it failed, and may be tried again."""
        name = self._once(who, key)
        if result is None:
            await self._redis.delete(name)
        else:
            await self._redis.set(name, json.dumps(result), ex=_REMEMBERED_S)

    def _tries(self, name: str) -> str:
        return self.key("tries:" + hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32])

    def _once(self, who: Identity, key: str) -> str:
        told = f"{who.by} {who.name} {key}"
        return self.key("once:" + hashlib.sha256(told.encode(errors="replace")).hexdigest())
