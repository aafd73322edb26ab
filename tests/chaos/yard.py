"""What the chaos run breaks: a Redis, two ingresses and three workers, started again when they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hookyard.redis.embedded import EmbeddedRedis, find_server
from tests.ports import free_port
from tests.processes import that_may_sleep

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).resolve().parents[2]
LEASE_S = 3


@dataclass
class Member:
    """One process that is kept running: its name, its arguments and environment, and what runs now."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0


@dataclass
class Yard:
    """Everything that runs.

    ``killed`` has the time (Unix ms) of each kill -9, by process id.
    """

    directory: Path
    redis: EmbeddedRedis = field(init=False)
    members: list[Member] = field(init=False)
    urls: list[str] = field(init=False)
    killed: dict[int, int] = field(default_factory=dict)
    wanted: bool = True

    def __post_init__(self) -> None:
        """Choose ports; nothing runs before ``start``."""
        server = find_server()
        options = that_may_sleep(server)
        self.redis = EmbeddedRedis(self.directory / "redis", server=server, port=free_port(), options=options)
        common = {
            "REDIS_URL": self.redis.url,
            "HOOKYARD_ALLOW_UNAUTHENTICATED": "true",
            "HOOKYARD_LEASE_S": str(LEASE_S),
            "HOOKYARD_BACKOFF_S": "0.2",
            "HOOKYARD_MAX_BACKOFF_S": "2",
            "HOOKYARD_SLOTS": "30",
            "HOOKYARD_DRAIN_S": "2",
            "HOOKYARD_SPOOL_DIR": str(self.directory / "spool"),
            "HOOKYARD_HANDLERS": "tests.chaos.bot:router",
            "HOOKYARD_LOG_FORMAT": "json",
            "PYTHONPATH": str(ROOT),
        }
        ports = [free_port(), free_port()]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.members = [
            Member(f"ingress-{number}", ["-m", "ingress"], {**common, "HOOKYARD_PORT": str(port)})
            for number, port in enumerate(ports, 1)
        ]
        self.members += [Member(f"worker-{number}", ["-m", "worker"], common) for number in (1, 2, 3)]

    def alive(self, kind: str) -> list[Member]:
        """Return the members of a kind (``ingress``, ``worker``) that run."""
        return [
            member
            for member in self.members
            if member.name.startswith(kind) and member.process and member.process.poll() is None
        ]

    def start(self) -> None:
        """Start Redis and all members."""
        self.redis.start()
        for member in self.members:
            self._start(member)

    def _start(self, member: Member) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HOOKYARD_", "GL_", "REDIS_"))
        }
        with (self.directory / f"{member.name}.log").open("ab") as log:
            member.process = subprocess.Popen(
                [sys.executable, *member.arguments],
                cwd=self.directory,
                env={**inherited, **member.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        member.starts += 1

    async def keep_running(self, chance: random.Random) -> None:
        """Start again whoever dies, as a supervisor would, until cancelled."""
        while True:
            for member in self.members:
                if self.wanted and member.process is not None and member.process.poll() is not None:
                    # a handler that killed its worker: the moment is not known better than this
                    self.killed.setdefault(member.process.pid, time.time_ns() // 1_000_000)
                    await asyncio.sleep(chance.uniform(0, 0.3))
                    self._start(member)
            await asyncio.sleep(0.05)

    def kill(self, member: Member) -> None:
        """Kill a member outright."""
        if member.process and member.process.poll() is None:
            self.killed[member.process.pid] = time.time_ns() // 1_000_000
            member.process.send_signal(signal.SIGCONT)
            member.process.kill()

    def stop(self) -> None:
        """End everything that was started."""
        self.wanted = False
        for member in self.members:
            if member.process and member.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    member.process.send_signal(signal.SIGCONT)
                    member.process.kill()
                member.process.wait()
        if self.redis.pid:
            os.kill(self.redis.pid, signal.SIGCONT)
        self.redis.kill()
