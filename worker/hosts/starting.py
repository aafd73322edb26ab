"""While a host imports the bot: that can take long, or hang, and what it finds may look wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.hosts.handle import HostHandle
    from worker.hosts.host_body import Body

log = logs.get_logger("worker")

SLOW_START_S: Final = 10
GIVE_UP_START_S: Final = 120
"""A host that has not imported the bot by then is killed, and started again."""


class Starts:
    """Watches the hosts of one pool until they are ready.

    :param tell: gets why no handler can run, and ``None`` once one can.
    """

    def __init__(self, tell: Callable[[str | None], None]) -> None:
        self._tell = tell
        self._warned: set[str] = set()

    async def watch(self, handle: HostHandle, body: Body) -> None:
        """Say when a host takes long to become ready, and give it up in the end."""
        for waited_s in range(SLOW_START_S, GIVE_UP_START_S + 1, SLOW_START_S):
            await asyncio.wait([handle.ready], timeout=SLOW_START_S)
            if handle.ready.done():
                if handle.is_ready:
                    self._tell(None)
                    self._warn(handle)
                return
            self._tell(f"the bot has been importing for {waited_s} s, and no handler can run before it has")
            log.warning(
                "host does not become ready",
                kind=handle.kind,
                waited_s=waited_s,
                next="it is killed, and another started" if waited_s >= GIVE_UP_START_S else "waits",
            )
        body.kill()

    def _warn(self, handle: HostHandle) -> None:
        """Log what looks wrong in the bot, once for all hosts that have it."""
        for warning in handle.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                log.warning("handler looks wrong", why=warning)
