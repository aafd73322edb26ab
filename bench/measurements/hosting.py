"""What hosts cost and bring: a handler that computes, with one host and two; resident memory by process."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.contenders import ARQ, HOOKYARD, Worker
from bench.measurements.handling import handled_per_second
from bench.report import row
from bench.stage import Stage, client_of
from bench.turns import in_turn

if TYPE_CHECKING:
    from bench.measurements.effort import Effort, Found

_COUNT: Final = 2000
_WARM_COUNT: Final = 2000
_MIB: Final = 1024**2


def resident_mib(stage: Stage, worker: Worker, *, of_hosts: bool) -> float:
    """Have a worker handle some, and return the memory of its process, or of its hosts."""
    with stage.redis() as url:
        asyncio.run(worker.fill(url, _WARM_COUNT))
        given = {"REDIS_URL": url, **worker.environment}
        with client_of(url) as client, stage.process(*worker.arguments, **given) as process:
            while client.zcard(worker.unfinished):
                time.sleep(0.05)
            return sum(map(_resident, _children(process.pid) if of_hosts else [process.pid])) / _MIB


def _children(pid: int) -> list[int]:
    """Return the processes that one has started (Linux)."""
    return [
        int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    ]


def _resident(pid: int) -> int:
    """Return a process's resident memory in bytes (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare two hosts with one, and the memory of a worker with arq's."""
    computing = in_turn(
        "computing 5 ms",
        "/s",
        {
            f"{hosts} hosts" if hosts > 1 else "1 host": partial(
                handled_per_second,
                stage,
                HOOKYARD,
                _COUNT,
                HOOKYARD_HANDLERS="bench.bot:computes",
                HOOKYARD_HOSTS=str(hosts),
            )
            for hosts in (1, 2)
        },
        rounds=max(1, effort.rounds - 2),
    )
    memory = in_turn(
        "resident memory",
        "MiB",
        {
            "supervisor": partial(resident_mib, stage, HOOKYARD, of_hosts=False),
            "host": partial(resident_mib, stage, HOOKYARD, of_hosts=True),
            ARQ.name: partial(resident_mib, stage, ARQ, of_hosts=False),
        },
        rounds=1,
    )
    what = "handlers that compute for 5 ms, two hosts, per second"
    rows = [row(what, computing["2 hosts"], against="1 host", other=computing["1 host"], at_least=1.7)]
    rows += [
        row(f"resident memory, {name}", memory[name], against=ARQ.name, other=memory[ARQ.name])
        for name in ("supervisor", "host")
    ]
    return rows, {"computing": computing, "resident": memory}
