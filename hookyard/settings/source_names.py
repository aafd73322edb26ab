"""Names and addresses of GitLabs. Rule: pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

DEFAULT_SOURCE: Final = "default"
"""The name of the only GitLab where there is one."""


def origin(address: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a GitLab, for a comparison; empty for what is no address."""
    try:
        parts = urlsplit(address)
        return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", "", None
