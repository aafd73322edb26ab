"""Where contenders are measured: a fresh Redis each time, and processes that are stopped by their id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import redis

from bench import payloads
from bench.bot import PIPE
from hookyard.redis.embedded import EmbeddedRedis, Server, find_server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
SECRET: Final = "bench-secret"  # noqa: S105 - made up
_START_S: Final = 20.0
_STOP_S: Final = 15.0
_INHERITED: Final = ("HOOKYARD_", "GL_", "REDIS_", "BENCH_")


class DidNotStart(Exception):
    """A process did not start or has ended; the text has the end of its log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listening:
    """A process that takes connections on a loopback port."""

    port: int
    pid: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The terms on which everything is measured.

    :param directory: where Redis keeps its append-only file and logs go, on a real disk.
    :param log_level: from which level on every worker logs, into a file.
    """

    directory: Path
    payloads: Path
    server: Server
    appendfsync: str
    log_level: str

    @contextlib.contextmanager
    def redis(self) -> Iterator[str]:
        """Give the URL of an empty Redis of its own; its append-only file is not rewritten meanwhile."""
        directory = self.directory / f"redis-{time.monotonic_ns()}"
        options = ("--appendfsync", self.appendfsync, "--auto-aof-rewrite-percentage", "0")
        server = EmbeddedRedis(directory, server=self.server, port=0, options=options)
        server.start()
        try:
            yield server.url
        finally:
            server.kill()  # nobody reads it again
            shutil.rmtree(directory, ignore_errors=True)

    @contextlib.contextmanager
    def process(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run ``python <arguments>``, ended by SIGTERM.

        :raises DidNotStart: when it ended by itself, or did not end when told to.
        """
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_INHERITED)}
        log = self.directory / f"{arguments[1].rpartition('.')[2]}-{time.monotonic_ns()}.log"
        given = {
            **inherited,
            "PYTHONPATH": str(ROOT),
            "GL_SECRET": SECRET,
            "GL_URL": "http://127.0.0.1:9",
            "GL_ACCESS_TOKEN": "unused",
            "HOOKYARD_LOG_LEVEL": self.log_level,
            "HOOKYARD_SHUTDOWN_DELAY_S": "0",
            "HOOKYARD_HANDLERS": "bench.bot:noop",
            **environment,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - a list made here
                [sys.executable, *arguments],
                cwd=ROOT,
                env=given,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
            if process.poll() is not None:
                raise DidNotStart(f"{' '.join(arguments)} ended by itself: {_end_of(log)}")
        except Exception as exc:
            exc.add_note(f"{' '.join(arguments)}: {_end_of(log)}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextlib.contextmanager
    def serving(self, *arguments: str, **environment: str) -> Iterator[Listening]:
        """Run a process that listens; gives it once it takes connections."""
        port = free_port()
        with self.process(*arguments, HOOKYARD_PORT=str(port), **environment) as process:
            deadline = time.monotonic() + _START_S
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DidNotStart(f"{' '.join(arguments)} does not listen")
                time.sleep(0.02)
            yield Listening(port=port, pid=process.pid)

    @contextlib.contextmanager
    def pipe(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Give a pipe that handlers write to: its descriptor, and the environment that names it to them."""
        path = self.directory / f"pipe-{time.monotonic_ns()}"
        os.mkfifo(path)
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            yield descriptor, {PIPE: str(path)}
        finally:
            os.close(descriptor)
            path.unlink()


@contextlib.contextmanager
def on_stage(directory: Path, **terms: Any) -> Iterator[Stage]:
    """Give a stage in *directory*, which is made and removed."""
    place = directory / f"stage-{os.getpid()}"
    place.mkdir(parents=True)
    try:
        yield Stage(
            directory=place, payloads=payloads.write(place / "payloads"), server=find_server(), **terms
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


def client_of(url: str) -> redis.Redis:
    """Return a blocking client."""
    return redis.Redis.from_url(url, socket_timeout=60)


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-3:])[-500:] or "nothing in its log"
