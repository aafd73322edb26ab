"""Addresses and ports of this machine: which of them ``hookyard up`` can listen on."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_ANYWHERE: Final = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - looked up, not bound


def reachable_host(host: str) -> str:
    """Return the address by which this machine reaches what listens on *host*, which may be all addresses."""
    return _ANYWHERE.get(host, host)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens on *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen_error(host: str, port: int) -> str | None:
    """Return why nothing can listen there, ``None`` when it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        return (exc.strerror or str(exc)).lower()
    return None
