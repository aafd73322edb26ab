"""Start hosts: in processes of their own, or in the process at hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from hookyard.host.host import Host, NotUsable
from hookyard.host.link import LocalLink, connect
from hookyard.host.messages import Unusable, read_reports
from worker.hosts.handle import HostHandle, Kind
from worker.hosts.process import Exit, HostProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from gidgetlab.routing import Router

    from hookyard.settings.settings import Settings
    from worker.hosts.handle import Listener
    from worker.hosts.host_body import Body
    from worker.hosts.pool import HostPool


class Starter(Protocol):
    """Starts the hosts of one pool, which is set before it is used."""

    pool: HostPool

    def start(self, kind: Kind) -> tuple[HostHandle, Body]:
        """Start a host."""


class ProcessHosts:
    """Starts hosts as child processes, which read the settings from the environment as the worker does."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self.pool: HostPool
        self._settings = settings
        self._listener = listener

    def start(self, kind: Kind) -> tuple[HostHandle, Body]:
        """Start a host."""
        handle = make_handle(kind, self._settings, self._listener, self.pool.changed)
        body = _ProcessBody(handle, lambda how: self.pool.ended(handle, how))
        return handle, body


class _ProcessBody:
    """A host's process and the link to it."""

    def __init__(self, handle: HostHandle, ended: Callable[[str], None]) -> None:
        self._handle = handle
        self._ended = ended
        self._process = HostProcess(ended=self._on_exit)
        self._connecting = asyncio.ensure_future(self._connect())

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def executing(self) -> int:
        """Return the run that has its loop."""
        return self._process.cell[0]

    def memory_bytes(self) -> int | None:
        """Return its resident memory."""
        return self._process.memory_bytes()

    async def _connect(self) -> None:
        link = await connect(
            self._process.socket,
            read_reports,
            receive=self._handle.receive,
            closed=self._process.kill,  # a host whose link is lost is of no use; its exit tells the rest
        )
        self._handle.connect(link)

    def _on_exit(self, exit_: Exit) -> None:
        self._ended(str(exit_))


class LocalHosts:
    """Starts hosts in this process and loop, for stock arq: nothing there can be killed."""

    def __init__(self, settings: Settings, listener: Listener, router: Router) -> None:
        self.pool: HostPool
        self._settings = settings
        self._listener = listener
        self._router = router

    def start(self, kind: Kind) -> tuple[HostHandle, Body]:
        """Start a host."""
        handle = make_handle(kind, self._settings, self._listener, self.pool.changed)
        body = _LocalBody(handle, self._router, self._settings, lambda how: self.pool.ended(handle, how))
        return handle, body


class _LocalBody:
    """A host in this process."""

    def __init__(
        self, handle: HostHandle, router: Router, settings: Settings, ended: Callable[[str], None]
    ) -> None:
        self._cell = [0]
        self._host = Host(router, settings, cell=self._cell)
        ours, self._theirs = LocalLink.pair()
        ours.receive, self._theirs.receive = handle.receive, self._host.receive
        handle.connect(ours)
        self._ended = ended
        self._is_open = False
        self._living = asyncio.ensure_future(self._live())

    def kill(self) -> None:
        """Cancel what runs in it; a thread, or a handler that ignores it, is left to itself."""
        self._host.stopped.set()
        if not self._is_open:
            self._living.cancel()

    def executing(self) -> int:
        """Return the run that has its loop: none, when it is this loop that asks."""
        return self._cell[0]

    def memory_bytes(self) -> int | None:
        """Return nothing: it is this process's own."""
        return None

    async def _live(self) -> None:
        how = "stopped"
        try:
            await self._host.open()
        except NotUsable as exc:
            self._theirs.send(Unusable(faults=exc.faults, may_pass=exc.may_pass))
            how = str(exc)
        else:
            self._is_open = True
            self._host.connect(self._theirs)
            await self._host.stopped.wait()
            await self._host.close()
        finally:
            asyncio.get_running_loop().call_soon(self._ended, how)  # after what was sent over the link


def make_handle(
    kind: Kind, settings: Settings, listener: Listener, changed: Callable[[], None]
) -> HostHandle:
    """Return the supervisor's side of a host of this kind."""
    capacity = 1 if kind is Kind.ALONE else settings.slots
    return HostHandle(kind, capacity=capacity, listener=listener, changed=changed)
