"""A TCP proxy before Redis that breaks connections, by chance from a seed.

It knows nothing of Redis's protocol: it strikes the pieces that a client's writes arrive in, most of which
are one request each.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_PIECE: Final = 65_536
_LINGER_S: Final = 5.0
"""A connection that was given up by both sides is kept for no longer than this."""


class Fault(StrEnum):
    """What happens to a connection when one of its requests is struck."""

    CUT_BEFORE = "cut before the request"
    CUT_AFTER = "cut after the request"
    CUT_ANSWER = "cut before the answer"
    HALF_REQUEST = "half a request"
    HALF_ANSWER = "half an answer"
    DELAY = "delay"
    LATE = "request that arrives when nobody waits"
    BLACK_HOLE = "black hole"


class Deck:
    """Faults by chance, of which none comes twice before each has come once.

    A short run would otherwise end, now and then, without one of them, and prove nothing about it.
    """

    def __init__(self, faults: Sequence[Fault], *, seed: str) -> None:
        self._faults = tuple(faults)
        self._chance = random.Random(seed)
        self._left: list[Fault] = []

    def draw(self) -> Fault:
        """Return the next one."""
        if not self._left:
            self._left = self._chance.sample(self._faults, len(self._faults))
        return self._left.pop()


class FaultProxy:
    """A proxy to a port of this machine; ``counts`` says how often it did what.

    :param share: of the requests that are struck, from 0 to 1; may be changed at any time.
    :param deck: what happens to them; proxies may share one.
    :param longest_s: how long a delay may be.
    """

    def __init__(
        self,
        target: int,
        *,
        seed: str,
        share: float = 0.0,
        deck: Deck | None = None,
        longest_s: float = 2.0,
    ) -> None:
        self.share = share
        self.deck = deck or Deck(tuple(Fault), seed=seed)
        self.longest_s = longest_s
        self.counts: Counter[Fault] = Counter()
        self.port = 0
        self._target = target
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._begun = 0

    @property
    def url(self) -> str:
        """``REDIS_URL`` for whoever is behind it."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", port, limit=_PIECE)
        self.port = port

    async def stop(self) -> None:
        """Listen no more, and cut all connections."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def cut(self) -> None:
        """Cut all connections."""
        for task in self._connections:
            task.cancel()

    def darken(self) -> None:
        """Have all present connections forward nothing any more, in either direction; new ones work."""
        for connection in self._connections.values():
            connection.is_dark = True

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._begun += 1
        connection = _Connection(self, random.Random(f"{self._seed}/{self._begun}"), (reader, writer))
        self._connections[task] = connection
        try:
            await connection.run(self._target)
        except (OSError, asyncio.CancelledError):
            pass  # the one side is gone, or the proxy is stopped
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._connections[task]


class _Connection:
    """One client's connection. ``is_dark``: nothing is forwarded any more."""

    def __init__(self, proxy: FaultProxy, chance: random.Random, client: Side) -> None:
        self.is_dark = False
        self._proxy = proxy
        self._chance = chance
        self._client = client
        self._next_answer: Fault | None = None

    async def run(self, target: int) -> None:
        """Forward both ways until a fault, or one side, ends it."""
        redis = await asyncio.open_connection("127.0.0.1", target, limit=_PIECE)
        directions = {
            asyncio.create_task(self._requests(redis[1])),
            asyncio.create_task(self._answers(redis[0])),
        }
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            redis[1].close()  # in good order: what was forwarded arrives
            with contextlib.suppress(OSError):
                await redis[1].wait_closed()

    async def _requests(self, to: asyncio.StreamWriter) -> None:
        reader = self._client[0]
        while piece := await reader.read(_PIECE):
            if self.is_dark:
                continue
            fault = self._strike()
            if fault is Fault.CUT_BEFORE:
                return
            if fault is Fault.BLACK_HOLE:
                self.is_dark = True
                continue
            if fault is Fault.DELAY:
                await asyncio.sleep(self._chance.uniform(0.05, self._proxy.longest_s))
            if fault is Fault.LATE:
                await self._forward_late(piece, to)
                return
            if fault in {Fault.CUT_ANSWER, Fault.HALF_ANSWER}:
                self._next_answer = fault
            to.write(piece[: len(piece) // 2] if fault is Fault.HALF_REQUEST else piece)
            await to.drain()
            if fault in {Fault.CUT_AFTER, Fault.HALF_REQUEST}:
                return

    async def _forward_late(self, piece: bytes, to: asyncio.StreamWriter) -> None:
        """Hold back what the client sends until it gives up, then let Redis have it."""
        held = [piece]
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_LINGER_S):
                while more := await self._client[0].read(_PIECE):
                    held.append(more)
        to.write(b"".join(held))
        await to.drain()

    async def _answers(self, reader: asyncio.StreamReader) -> None:
        to = self._client[1]
        while piece := await reader.read(_PIECE):
            if self.is_dark:
                continue
            if self._next_answer is Fault.CUT_ANSWER:
                return
            if self._next_answer is Fault.HALF_ANSWER:
                to.write(piece[: len(piece) // 2])
                await to.drain()
                return
            to.write(piece)
            await to.drain()

    def _strike(self) -> Fault | None:
        """Return what happens to this request, ``None`` for nothing; the dice are thrown each time."""
        if self._chance.random() >= self._proxy.share:
            return None
        fault = self._proxy.deck.draw()
        self._proxy.counts[fault] += 1
        return fault
