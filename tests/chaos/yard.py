"""What is broken: a Redis, ingresses and workers, started again when they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hookyard.redis.embedded import EmbeddedRedis, find_server
from tests.chaos.sender import Sender
from tests.faults.proxy import FaultProxy
from tests.ports import free_port
from tests.processes import that_may_sleep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from tests.chaos.memory_limit import MemoryLimit

ROOT = Path(__file__).resolve().parents[2]
LEASE_S = 3


@dataclass
class Member:
    """One process that is kept running: its name, its arguments and environment, and what runs now.

    ``pids`` are the process ids that it has had.
    """

    name: str
    arguments: list[str]
    environment: dict[str, str]
    memory: MemoryLimit | None = None
    proxy: FaultProxy | None = None
    process: subprocess.Popen[bytes] | None = None
    pids: list[int] = field(default_factory=list)


class Yard:
    """Everything that runs, in *directory*.

    ``killed`` has the time (Unix ms) of each kill -9, by process id.

    :param handlers: the bot, as in HOOKYARD_HANDLERS.
    :param redis_options: of its Redis.
    :param environment: of all processes, besides what a quick run needs.
    """

    def __init__(
        self,
        directory: Path,
        *,
        handlers: str = "tests.chaos.bot:router",
        redis_options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        server = find_server()
        options = (*that_may_sleep(server), *redis_options)
        self.directory = directory
        self.redis = EmbeddedRedis(directory / "redis", server=server, port=free_port(), options=options)
        self.members: list[Member] = []
        self.urls: list[str] = []
        self.killed: dict[int, int] = {}
        self.wanted = True
        self._environment = {
            "REDIS_URL": self.redis.url,
            "HOOKYARD_ALLOW_UNAUTHENTICATED": "true",
            "HOOKYARD_LEASE_S": str(LEASE_S),
            "HOOKYARD_BACKOFF_S": "0.2",
            "HOOKYARD_MAX_BACKOFF_S": "2",
            "HOOKYARD_SLOTS": "30",
            "HOOKYARD_DRAIN_S": "2",
            "HOOKYARD_SPOOL_DIR": str(directory / "spool"),
            "HOOKYARD_HANDLERS": handlers,
            "HOOKYARD_LOG_FORMAT": "json",
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        }

    # --- who there is ---------------------------------------------------------------------------

    def add_ingress(self) -> Member:
        """Add an ingress."""
        port = free_port()
        self.urls.append(f"http://127.0.0.1:{port}")
        return self._add("ingress", ["-m", "ingress"], {"HOOKYARD_PORT": str(port)})

    def add_worker(self, *, memory: MemoryLimit | None = None, **environment: str) -> Member:
        """Add a worker."""
        return self._add("worker", ["-m", "worker"], environment, memory)

    def add_stock_worker(self, *, memory: MemoryLimit | None = None) -> Member:
        """Add arq's own worker, with its own command."""
        return self._add("stock", ["-m", "arq", "worker.arq_worker.WorkerSettings"], {}, memory)

    def _add(
        self, kind: str, arguments: list[str], environment: dict[str, str], memory: MemoryLimit | None = None
    ) -> Member:
        number = sum(member.name.startswith(kind) for member in self.members) + 1
        member = Member(f"{kind}-{number}", arguments, {**self._environment, **environment}, memory)
        self.members.append(member)
        return member

    async def put_proxies_between(self, *, seed: int) -> list[FaultProxy]:
        """Have every member reach Redis through a proxy of its own, and return those."""
        for member in self.members:
            assert self.redis.port is not None
            member.proxy = FaultProxy(self.redis.port, seed=f"{seed}/{member.name}")
            await member.proxy.start(free_port())
            member.environment["REDIS_URL"] = member.proxy.url
        return [member.proxy for member in self.members if member.proxy]

    def alive(self, *kinds: str) -> list[Member]:
        """Return the members of these kinds (``ingress``, ``worker``, ``stock``) that run."""
        return [
            member
            for member in self.members
            if member.name.startswith(kinds) and member.process and member.process.poll() is None
        ]

    def logs(self, kind: str) -> Iterator[str]:
        """Yield the lines of the logs of all members of a kind."""
        for member in self.members:
            if member.name.startswith(kind):
                with (self.directory / f"{member.name}.log").open(errors="replace") as log:
                    yield from log

    # --- their lives ----------------------------------------------------------------------------

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
        command = [sys.executable, *member.arguments]
        with (self.directory / f"{member.name}.log").open("ab") as log:
            member.process = subprocess.Popen(
                member.memory.command(command) if member.memory else command,
                cwd=self.directory,
                env={**inherited, **member.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        member.pids.append(member.process.pid)

    async def keep_running(self, chance: random.Random) -> None:
        """Start again whoever dies, as a service manager would, until cancelled."""
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

    @contextlib.asynccontextmanager
    async def running(self, *, seed: int = 1) -> AsyncIterator[Sender]:
        """Run all members meanwhile; yield what sends to them, once its deliveries would be answered."""
        await asyncio.to_thread(self.start)
        keeping = asyncio.create_task(self.keep_running(random.Random(seed)))
        try:
            sender = Sender(self.urls)
            await sender.wait_for_the_door()
            yield sender
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self.stop()

    async def stop(self) -> None:
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
        for member in self.members:
            if member.proxy is not None:
                await member.proxy.stop()
            if member.memory is not None:
                await asyncio.to_thread(member.memory.remove)
