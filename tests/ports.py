"""Ports for the servers that tests start."""

from __future__ import annotations

import os
import secrets
import socket
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Below those that Linux gives to outgoing connections (32768 and up), any of which might take a port
# between the moment it is found free and the moment a server listens on it.
_PORTS: Final = range(10_240, 32_768)
_WORKERS: Final = 16


def _in_turn() -> Iterator[int]:
    """Ports that no other pytest-xdist worker of this run uses, none of them twice for a long time.

    Other runs on this machine begin elsewhere, by chance: process ids would put runs that start together
    side by side.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = _PORTS[worker % _WORKERS :: _WORKERS]
    return islice(cycle(mine), secrets.randbelow(len(mine)), None)


_next_ports: Final = _in_turn()


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    for port in _next_ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError
