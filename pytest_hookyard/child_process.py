"""A child process of pytest's, as pytest sees it; what runs in it is ``backstage``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hookyard.host.entry import serve
from pytest_hookyard.channel import Channel

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from hookyard.settings.settings import Settings

_BACKSTAGE: Final = Path(__file__).with_name("backstage.py")
_END_S: Final = 5.0


class ChildError(Exception):
    """What a child runs could not be started or has ended; the text says why."""


class UnusableError(ChildError):
    """The bot's handlers cannot be run; the text says what to change."""


class Child:
    """A process that runs a *part*, ``ingress`` or ``worker``, for one test after the other.

    ``url`` is the address of what runs there; ``fault`` tells, where it has ended, how.
    Its coroutines belong to one loop, in which the hosts that it is lent run, too.
    """

    def __init__(self, part: str) -> None:
        """Start it."""
        self.url = ""
        self.fault: str | None = None
        self._part = part
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", str(_BACKSTAGE), part]
            command += ["--channel", str(theirs.fileno()), "--parent", str(os.getpid())]
            self._process = subprocess.Popen(  # noqa: S603 - our own file, from a list made here
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._channel = Channel(ours)
        self._answer: asyncio.Future[str]
        self._hosts: dict[int, asyncio.Task[None]] = {}

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def open(self) -> None:
        """Wait until it can be used."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        loop.add_reader(self._channel.fileno(), self._read)
        self.url = await self._answer

    async def start(self, settings: Settings, router: Router | None = None) -> None:
        """Have it serve a test with *settings*, and run the handlers of *router* here.

        :raises ChildError: when it cannot.
        """
        self._settings, self._router = settings, router
        await self._ask("start", settings)

    async def stop(self) -> None:
        """Have it end what serves the test; hosts that were lent are closed."""
        try:
            await self._ask("stop")
        finally:
            for hosting in self._hosts.values():
                hosting.cancel()
            await asyncio.gather(*self._hosts.values(), return_exceptions=True)
            self._hosts.clear()

    async def close(self) -> None:
        """End it."""
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        self._channel.close()
        await asyncio.to_thread(self.kill)

    def kill(self) -> None:
        """Wait for the process to end, which it does when its channel is closed; kill it if it does not."""
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def _ask(self, *order: Any) -> None:
        if self.fault is not None and self._process.poll() is not None:
            raise ChildError(self.fault)
        self._answer = asyncio.get_running_loop().create_future()
        self._channel.send(*order)
        await self._answer

    def _read(self) -> None:
        try:
            (kind, *rest), files = self._channel.receive()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self.fault = f"the process of the {self._part} has ended"
            self._fail(ChildError(self.fault))
            return
        if kind == "done":
            self.fault = None
            self._answer.set_result(rest[0])
        elif kind == "unusable":
            self._fail(UnusableError(rest[0]))
        elif kind == "failed":
            self._fail(ChildError(f"the {self._part} could not be started or stopped\n{rest[0]}"))
        elif kind == "ended":
            self.fault = rest[0]
        elif kind == "host":
            self._lend(rest[0], *files)
        elif kind == "kill" and rest[0] in self._hosts:
            self._hosts[rest[0]].cancel()
        elif kind == "log":
            _log(rest[0])

    def _fail(self, error: ChildError) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def _lend(self, number: int, link: int, shared: int) -> None:
        """Be the host of this number, whose link and memory these descriptors are."""
        cell = memoryview(mmap.mmap(shared, mmap.PAGESIZE)).cast("q")
        os.close(shared)
        assert self._router is not None  # noqa: S101 - only a worker asks for hosts
        self._hosts[number] = asyncio.get_running_loop().create_task(
            self._host(self._router, socket.socket(fileno=link), cell), name=f"host {number}"
        )

    async def _host(self, router: Router, sock: socket.socket, cell: memoryview[int]) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # how it is killed
            await serve(router, self._settings, sock, cell)


def _log(record: logging.LogRecord) -> None:
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)
