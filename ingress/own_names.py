"""Whether a request was meant for this address, where that is to be checked. Pure.

A browser can be made to send requests to a service on loopback or in an intranet by any page: across
sites, which ``Origin`` gives away, or after its own name was made to point here (DNS rebinding), which
``Host`` gives away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def is_foreign(headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str]) -> bool:
    """Return whether ``Host`` or ``Origin`` names another host than the *allowed* ones (in lower case)."""
    hosts = [_host(value.decode("latin-1")) for name, value in headers if name == b"host"]
    origins = [_origin_host(value.decode("latin-1")) for name, value in headers if name == b"origin"]
    return len(hosts) != 1 or not {*hosts, *origins} <= set(allowed)


def _host(value: str) -> str:
    try:
        return (urlsplit(f"//{value.strip()}").hostname or "").lower()
    except ValueError:
        return ""


def _origin_host(value: str) -> str:
    try:
        return (urlsplit(value.strip()).hostname or "").lower()
    except ValueError:
        return ""
