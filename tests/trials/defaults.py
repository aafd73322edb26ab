"""The settings that chaos changes for speed, as they are by default."""

from __future__ import annotations


def defaults(*, lease_s: float = 10.0) -> dict[str, str]:
    """Return them as an environment."""
    return {
        "HOOKYARD_LEASE_S": f"{lease_s:g}",
        "HOOKYARD_BACKOFF_S": "5",
        "HOOKYARD_MAX_BACKOFF_S": "10800",
        "HOOKYARD_SLOTS": "100",
        "HOOKYARD_DRAIN_S": "30",
    }
