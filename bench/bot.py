"""The bots that every contender runs: the same gidgetlab routers for all, ``bench.bot:<name>``."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import time
from typing import TYPE_CHECKING, Final

from gidgetlab.routing import Router

from hookyard import Bot, policy

if TYPE_CHECKING:
    from gidgetlab.sansio import Event

EVENTS: Final = ("Issue Hook", "Push Hook", "Merge Request Hook")
PIPE: Final = "BENCH_PIPE"
"""The environment variable that names the pipe which ``marks`` and ``holds`` write to."""

noop, waits, computes, marks, holds = Router(), Router(), Router(), Router(), Router()
keyed = Bot()
_numbers = itertools.count()


async def do_nothing(_event: Event, _gl: object) -> None:
    """Nothing: what is left is what the queue costs."""


@policy(key=lambda _event: str(next(_numbers)))
async def do_nothing_alone(_event: Event, _gl: object) -> None:
    """The same, one at a time for a key: what is left is what asking costs."""


async def wait_50_ms(_event: Event, _gl: object) -> None:
    """Wait as long as a GitLab that is not far away takes to answer."""
    await asyncio.sleep(0.05)


async def compute_5_ms(_event: Event, _gl: object) -> None:
    """Keep a processor busy, and the event loop with it."""
    until = time.thread_time() + 0.005
    while time.thread_time() < until:
        pass


async def mark(_event: Event, _gl: object) -> None:
    """Say when it started."""
    _tell(f"{time.time_ns()}\n")


async def hold(_event: Event, _gl: object) -> None:
    """Say that it runs, and a second later that it does not."""
    _tell("+\n")
    await asyncio.sleep(1)
    _tell("-\n")


_HANDLERS: Final = (
    *((noop, do_nothing), (waits, wait_50_ms), (computes, compute_5_ms)),
    *((marks, mark), (holds, hold), (keyed, do_nothing_alone)),
)

for _router, _handler in _HANDLERS:
    for _name in EVENTS:
        _router.add(_handler, _name)


@functools.cache
def _pipe() -> int:
    return os.open(os.environ[PIPE], os.O_WRONLY)


def _tell(line: str) -> None:
    os.write(_pipe(), line.encode())  # short lines arrive whole
