"""Credentials in use: how many deliveries each authenticated, and when the last one came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialUse:
    """What one credential authenticated, counted since it was first met. ``last_ms`` is Redis's time."""

    source: str
    credential: str
    deliveries: int
    last_ms: int


async def credentials_in_use(redis: ArqRedis, keys: LedgerKeys) -> list[CredentialUse]:
    """Return the credentials, those used last first."""
    fields = await redis.hgetall(keys.credentials)  # type: ignore[misc]
    text = {name.decode(errors="replace"): int(value) for name, value in fields.items()}
    found = []
    for name, count in text.items():
        source, _, credential = name.partition("\n")
        if "\n" not in credential:
            found.append(
                CredentialUse(
                    source=source,
                    credential=credential,
                    deliveries=count,
                    last_ms=text.get(f"{name}\nlast", 0),
                )
            )
    return sorted(found, key=lambda one: one.last_ms, reverse=True)
