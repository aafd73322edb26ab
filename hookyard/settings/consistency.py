"""Which settings are right in themselves and do not fit together. Rule: pure."""

from __future__ import annotations

from hookyard.redis.urls import has_password


def misfits(
    *, lease_s: float, redis_timeout_s: float, redis_url: str | None, has_redis_password: bool
) -> list[str]:
    """Return the faults, each with what to do.

    :param redis_url: ``None`` when none is set.
    """
    faults = []
    if lease_s < 3 * redis_timeout_s:
        faults.append(
            f"HOOKYARD_LEASE_S={lease_s:g} cannot be kept: it is renewed every third of it, and one "
            f"renewal may take HOOKYARD_REDIS_TIMEOUT_S={redis_timeout_s:g}; "
            f"set it to {3 * redis_timeout_s:g} or more"
        )
    if has_redis_password and redis_url is None:
        faults.append("REDIS_PASSWORD is set and REDIS_URL is not: set it too, or unset the password")
    elif has_redis_password and redis_url is not None and has_password(redis_url):
        faults.append("REDIS_PASSWORD and REDIS_URL both hold a password: leave it out of one of them")
    return faults
