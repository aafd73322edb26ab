"""Consistency of settings with each other. Rule: pure."""

from __future__ import annotations

from hookyard.redis.urls import has_password


def inconsistencies(
    *, lease_s: float, redis_timeout_s: float, redis_url: str | None, has_redis_password: bool
) -> list[str]:
    """Return the faults between settings, each with what to do.

    :param redis_url: ``None`` when ``REDIS_URL`` is not set.
    """
    faults = []
    if lease_s < 3 * redis_timeout_s:
        faults.append(
            f"HOOKYARD_LEASE_S={lease_s:g} is too short: it is renewed after a third of it, which "
            f"may take HOOKYARD_REDIS_TIMEOUT_S={redis_timeout_s:g}; set {3 * redis_timeout_s:g} or more"
        )
    if has_redis_password and redis_url is None:
        faults.append(
            "REDIS_PASSWORD is set and REDIS_URL is not: set REDIS_URL too, or unset REDIS_PASSWORD"
        )
    elif has_redis_password and redis_url is not None and has_password(redis_url):
        faults.append("REDIS_PASSWORD and REDIS_URL both hold a password: remove it from one of them")
    return faults
