"""The bot of the chaos run: handlers that succeed, fail at random, sleep, block and kill their worker.

Every run is written to ``runs.log`` before and after it: id, handler, what, Unix ms, process id. What
fails is decided by the delivery and the run's number, so that a seed gives the same run again.
"""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from typing import Any

from gidgetlab.routing import Router

from hookyard import current_delivery, policy

router = Router()
_log = os.open("runs.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _write(what: str) -> None:
    running = current_delivery()
    name = running.handler.rpartition(":")[2]
    line = f"{running.id} {name} {what} {time.time_ns() // 1_000_000} {os.getpid()}\n"
    os.write(_log, line.encode())  # one write, so that lines of several processes do not mix


def _chance() -> float:
    """From 0 up to 1, the same for the same run of the same delivery."""
    running = current_delivery()
    return zlib.crc32(f"{running.id}/{running.handler}/{running.attempt}".encode()) / 2**32


@router.register("Push Hook")
async def first(event: Any, gl: Any) -> None:
    """Succeed, but for one run in ten."""
    _write("start")
    if _chance() < 0.1:
        raise ValueError("by chance")
    _write("end")


@router.register("Push Hook")
@policy(timeout=5)
async def second(event: Any, gl: Any) -> None:
    """Do what the delivery says."""
    _write("start")
    kind = event.data["kind"]
    if kind == "fails" and _chance() < 0.5:
        raise ValueError("by chance")
    if kind == "sleeps":
        await asyncio.sleep(_chance() * 2)
    if kind == "blocks":
        time.sleep(_chance() * 0.2)  # noqa: ASYNC251 - what it is for
    if kind == "kills":
        os._exit(9)
    _write("end")
