"""Lease renewal without an event loop: from a thread with a client of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hookyard.redis import scripts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis
    from redis.commands.core import Script

    from hookyard.ledger.keys import LedgerKeys


def renew_script(client: redis.Redis) -> Script:
    """Return the script that prolongs leases, for :func:`renew`."""
    return client.register_script(scripts.source("renew"))


def renew(
    script: Script, keys: LedgerKeys, leases: Sequence[tuple[str, str]], *, lease_ms: int
) -> list[tuple[str, str]]:
    """Prolong *leases*, pairs of delivery id and token, and return those that are lost."""
    answers: Any = script(
        keys=[keys.queue, keys.states, keys.failed, keys.quarantine, keys.wake],
        args=[keys.deliveries, lease_ms, *(part for lease in leases for part in lease)],
    )
    return [lease for lease, answer in zip(leases, answers, strict=True) if answer != 1]
