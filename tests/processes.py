"""Hookyard's own processes, started for a test as ``hookyard`` would start them, and stopped by pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.ports import free_port

if TYPE_CHECKING:
    from hookyard.redis.embedded import Server

ROOT = Path(__file__).resolve().parents[1]


def that_may_sleep(server: Server) -> tuple[str, ...]:
    """Return the option with which Redis 7 and later allow DEBUG SLEEP; older ones always do."""
    return ("--enable-debug-command", "yes") if server.version >= (7,) else ()


class Processes:
    """Starts processes with one environment; every one that still runs at the end is killed.

    :param directory: their working directory, and where their logs go.
    """

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.environment = {
            "HOOKYARD_ALLOW_UNAUTHENTICATED": "true",
            "HOOKYARD_HANDLERS": "handlers:router",
            **environment,
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, name: str = "process", **environment: str) -> subprocess.Popen[bytes]:
        """Start ``python <arguments>``."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HOOKYARD_", "GL_", "REDIS_"))}
        log = (self.directory / f"{name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.directory,
                env={**inherited, "PYTHONPATH": f"{ROOT}", **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.append(process)
        return process

    def ingress(self, **environment: str) -> tuple[subprocess.Popen[bytes], str]:
        """Start an ingress on a free port; gives it and its URL once it answers."""
        port = free_port()
        name = f"ingress-{port}"
        process = self.start("-m", "ingress", name=name, HOOKYARD_PORT=str(port), **environment)
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health", timeout=10).status_code == 200:
                    return process, url
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the ingress did not start:\n{self.log(name)}")
            time.sleep(0.02)

    def worker(self, name: str = "worker", **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self.start("-m", "worker", name=name, **environment)

    def log(self, name: str) -> str:
        """Return what the process *name* has printed."""
        return (self.directory / f"{name}.log").read_text()

    def stop_all(self) -> None:
        """Kill whatever still runs."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                if "COVERAGE_PROCESS_CONFIG" in os.environ:  # a process that is killed reports no coverage
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(10)
                process.kill()
            process.wait()
