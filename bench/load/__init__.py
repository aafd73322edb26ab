"""Load from outside the measured process: wrk where it is installed, else a generator of our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONNECTIONS: Final = 64
_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_GRACE_S: Final = 30


class LoadFailed(Exception):
    """The generator did not get through, or what it got were refusals; the text says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What came back: ``answered`` in ``seconds``, all of them 2xx."""

    answered: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds


def has_wrk() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def put_on(
    port: int,
    *,
    payloads: Path,
    secret: str,
    seconds: float,
    rate: float = 0,
    connections: int = CONNECTIONS,
    keep_alive: bool,
) -> Load:
    """Post webhooks to a server on this machine for *seconds*.

    :param rate: per second, open-loop; 0 for as many as it takes.
    :param connections: the number of requests in flight at most.
    :param keep_alive: whether connections are reused; GitLab sends ``Connection: close`` and opens one for
        each webhook.
    :raises LoadFailed: when not every answer was 2xx.
    """
    run = os.urandom(4).hex()
    wrk = shutil.which("wrk")
    if wrk and not rate:
        command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(_SCRIPT)]
        command += [f"http://127.0.0.1:{port}/", "--", str(payloads), secret, run]
        command += [] if keep_alive else ["close"]
    else:
        command = [sys.executable, "-m", "bench.load.generator", "--port", str(port), "--run", run]
        command += ["--payloads", str(payloads), "--secret", secret, "--seconds", str(seconds)]
        command += ["--rate", str(rate), "--connections", str(connections)]
        command += [] if keep_alive else ["--close"]
    ran = subprocess.run(  # noqa: S603 - a list made here
        command,
        capture_output=True,
        text=True,
        timeout=seconds + _GRACE_S,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    lines = [line for line in ran.stdout.splitlines() if line.startswith("BENCH ")]
    if not lines:
        raise LoadFailed(f"the load generator failed: {(ran.stderr or ran.stdout).strip()[-300:]}")
    load = Load(**json.loads(lines[-1].removeprefix("BENCH ")))
    if load.refused or load.broken or not load.answered:
        raise LoadFailed(f"{load.refused} of {load.answered} answers were no 2xx, {load.broken} broke off")
    return load
