"""Run an ingress or a worker's supervisor for tests, in a child process of pytest's.

pytest starts this file by its path, once per run. It serves one test after the other: a test sends its
settings, and is told when everything is up. Nothing of a bot is imported here, so that a bot may have
modules named ``ingress`` and ``worker``; the hosts that run its handlers are in the test's own process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import mmap
import signal
import socket
import sys
import traceback
from logging.handlers import QueueHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before a bot's folder out of PYTHONPATH

import uvloop

import ingress.app
from hookyard.host.lifeline import die_with
from hookyard.host.link import connect
from hookyard.host.messages import read_reports
from pytest_hookyard.channel import Channel
from pytest_hookyard.door import Door
from worker.app import make_parts, make_supervisor, worker_name
from worker.hosts.handle import BotUnusable
from worker.hosts.process import shared_page
from worker.hosts.start import make_handle

if TYPE_CHECKING:
    from hookyard.settings.settings import Settings
    from worker.hosts.handle import HostHandle, Kind, Listener
    from worker.hosts.host_body import Body
    from worker.hosts.pool import HostPool


class Part(Protocol):
    """What is run here, for one test after the other."""

    async def open(self) -> str:
        """Prepare what serves all tests; return the address, if there is one."""

    async def start(self, settings: Settings) -> None:
        """Serve a test."""

    async def stop(self) -> None:
        """End what serves the test."""


class Ingress:
    """The ingress, at one address for the whole run."""

    def __init__(self, _channel: Channel) -> None:
        self._door = Door()

    async def open(self) -> str:
        """Listen."""
        await self._door.open()
        return self._door.url

    async def start(self, settings: Settings) -> None:
        """Let an ingress with these settings answer."""
        await self._door.put(ingress.app.create_app(settings))

    async def stop(self) -> None:
        """Let nobody answer."""
        await self._door.put(None)


class Worker:
    """A supervisor, whose hosts are lent by the test's process."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def open(self) -> str:
        """Do nothing: a worker has no address."""
        return ""

    async def start(self, settings: Settings) -> None:
        """Start a worker and wait until it is ready.

        :raises BotUnusable: when its handlers cannot be run.
        """
        parts = make_parts(
            settings,
            name=worker_name(),
            make_starter=lambda settings, listener: LentHosts(settings, listener, self._channel),
        )
        self._supervisor = make_supervisor(settings, parts, handle_signals=False, ticks=False)
        self._working = asyncio.create_task(self._supervisor.async_run())
        ready = asyncio.create_task(self._supervisor.ready.wait())
        await asyncio.wait({ready, self._working}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._working.done():
            await self._supervisor.close()
            self._working.result()
        self._working.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Stop it; what still runs is cut off."""
        self._working.remove_done_callback(self._ended)
        await self._supervisor.close()
        with contextlib.suppress(asyncio.CancelledError):  # how arq ends a worker
            await self._working

    def _ended(self, working: asyncio.Task[None]) -> None:
        exc = None if working.cancelled() else working.exception()
        text = "".join(traceback.format_exception(exc)) if exc else ""
        self._channel.send("ended", f"the worker has ended\n{text}".rstrip())


class LentHosts:
    """Has hosts started in the process at the other end of the channel."""

    def __init__(self, settings: Settings, listener: Listener, channel: Channel) -> None:
        self.pool: HostPool
        self._settings = settings
        self._listener = listener
        self._channel = channel
        self._count = 0

    def start(self, kind: Kind) -> tuple[HostHandle, Body]:
        """Have one started."""
        self._count += 1
        handle = make_handle(kind, self._settings, self._listener, self.pool.changed)
        return handle, _LentBody(self._count, handle, self._channel, self.pool)


class _LentBody:
    """A host in the other process, and the link to it. It has ended when that end of the link is closed."""

    def __init__(self, number: int, handle: HostHandle, channel: Channel, pool: HostPool) -> None:
        self._number = number
        self._handle = handle
        self._channel = channel
        self._pool = pool
        ours, theirs = socket.socketpair()
        with theirs, shared_page() as shared:
            self._cell = memoryview(mmap.mmap(shared.fileno(), mmap.PAGESIZE)).cast("q")
            channel.send("host", number, files=(theirs.fileno(), shared.fileno()))
        self._connecting = asyncio.ensure_future(self._connect(ours))

    def kill(self) -> None:
        """Have what runs in it cancelled; one that blocks its loop ends when it lets go."""
        self._channel.send("kill", self._number)

    def executing(self) -> int:
        """Return the run that has its loop."""
        return self._cell[0]

    def memory_bytes(self) -> int | None:
        """Return nothing: the memory is pytest's."""
        return None

    async def _connect(self, ours: socket.socket) -> None:
        self._handle.connect(
            await connect(
                ours,
                read_reports,
                receive=self._handle.receive,
                closed=lambda: self._pool.ended(self._handle, "stopped"),
            )
        )


class _Forward(QueueHandler):
    """Sends log lines to pytest, which shows them with the test's own."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # enqueue() is all that uses it
        self._channel = channel

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # pytest is gone, and this process about to be
            self._channel.send("log", record)


async def serve(part: Part, channel: Channel) -> None:
    """Carry out what pytest asks for, until it is gone."""
    orders: asyncio.Queue[tuple[Any, ...] | None] = asyncio.Queue()

    def read() -> None:
        try:
            orders.put_nowait(channel.receive()[0])
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(channel.fileno())
            orders.put_nowait(None)

    asyncio.get_running_loop().add_reader(channel.fileno(), read)
    channel.send("done", await part.open())
    while (order := await orders.get()) is not None:
        try:
            await (part.start(order[1]) if order[0] == "start" else part.stop())
        except BotUnusable as exc:
            channel.send("unusable", str(exc))
        except Exception:  # noqa: BLE001 - the test that asked for it shows it
            channel.send("failed", traceback.format_exc())
        else:
            channel.send("done", "")


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["ingress", "worker"])
    parser.add_argument("--channel", type=int, required=True, help="descriptor of the socket to pytest")
    parser.add_argument("--parent", type=int, required=True, help="process id of pytest")
    given = parser.parse_args()
    die_with(given.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for pytest, which ends this one
    channel = Channel(socket.socket(fileno=given.channel))
    logging.basicConfig(level=logging.INFO, handlers=[_Forward(channel)])
    part: Part = Ingress(channel) if given.part == "ingress" else Worker(channel)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(part, channel))


if __name__ == "__main__":
    main()
