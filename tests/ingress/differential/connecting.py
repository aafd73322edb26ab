"""Give bytes to a protocol of uvicorn's without a socket, cut as one likes, and see what comes of it.

A socket would merge and split pieces as it likes, and cost a millisecond for each of ten thousand cuts.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.responses import Response
from uvicorn.server import ServerState

from ingress.acceptor import Accepted
from ingress.endpoint import Endpoint
from ingress.metrics import IngressMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hookyard.ledger.records import Delivery
    from hookyard.settings.settings import Settings

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_MADE: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_QUIET_TURNS: Final = 4
"""After so many turns of the loop without a word, a request waits for its body."""


@dataclass
class Outcome:
    """What came of a connection."""

    statuses: tuple[int, ...]
    """Of the final answers, in their order."""
    kept: tuple[tuple[str, str, bytes], ...]
    """Id, event and body of each delivery."""
    is_closed: bool
    """Whether the server closed the connection before the client did."""


class Keeping:
    """Takes deliveries as an acceptor does, and keeps those of the present connection."""

    def __init__(self) -> None:
        self.kept: dict[str, Delivery] = {}

    async def accept(self, delivery: Delivery) -> Accepted:
        """Keep *delivery* unless its id is known."""
        if delivery.id in self.kept:
            return Accepted.DUPLICATE
        self.kept[delivery.id] = delivery
        return Accepted.NEW


class Wire(asyncio.Transport):
    """A transport whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_paused = False
        self.has_ended = False

    def write(self, data: Any) -> None:
        if not self.has_ended:
            self.written += data

    def is_closing(self) -> bool:
        return self.has_ended

    def close(self) -> None:
        self.has_ended = True

    def abort(self) -> None:
        self.has_ended = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Do nothing: the test sees the end by ``has_ended``."""

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0


class Server:
    """An endpoint under a protocol class.

    :param protocol: what ``uvicorn.Config(http=…)`` takes.
    """

    def __init__(self, settings: Settings, protocol: Any) -> None:
        self._keeping = Keeping()
        endpoint = Endpoint(settings, self._keeping, IngressMetrics())  # type: ignore[arg-type]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/health":
                await Response()(scope, receive, send)
            else:
                await endpoint(scope, receive, send)

        self._config = uvicorn.Config(app, http=protocol, ws="none", log_config=None, access_log=False)
        self._config.load()
        self._make: Callable[..., Any] = self._config.http_protocol_class
        self._state = ServerState()

    async def connect(self, pieces: Sequence[bytes]) -> Outcome:
        """Send *pieces*, each when the server has done what it can with those before; then hang up."""
        self._keeping.kept.clear()
        wire = Wire()
        protocol = self._make(
            config=self._config, server_state=self._state, app_state={}, _loop=asyncio.get_running_loop()
        )
        protocol.connection_made(wire)
        for piece in pieces:
            await self._settle(wire)
            if wire.has_ended:
                break
            protocol.data_received(piece)
        await self._settle(wire)
        is_closed = wire.has_ended
        if not wire.has_ended and not protocol.eof_received():
            wire.close()
        protocol.connection_lost(None)
        await self._settle(wire)
        await asyncio.gather(*self._state.tasks)
        kept = tuple(self._keeping.kept.values())
        statuses = [int(status) for status in _STATUS.findall(bytes(wire.written))]
        return Outcome(
            statuses=tuple(status for status in statuses if status >= 200),
            kept=tuple((_MADE.sub("made", each.id), each.event, each.body) for each in kept),
            is_closed=is_closed,
        )

    @property
    def accepted(self) -> int:
        """How many deliveries the last connection left."""
        return len(self._keeping.kept)

    async def _settle(self, wire: Wire) -> None:
        """Let the server's tasks go as far as they get without further bytes."""
        quiet = 0
        written = len(wire.written)
        while self._state.tasks and quiet < _QUIET_TURNS:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(wire.written) == written else 0
            written = len(wire.written)
