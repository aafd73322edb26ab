"""Write the state to its file: soon after a change, once for many, and at the end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from gitlab_emulator import state_file

if TYPE_CHECKING:
    from pathlib import Path

    from gitlab_emulator.state import State

log = logging.getLogger("gitlab_emulator")

WAIT_S = 0.2
IDLE_SHARE = 10  # times as long as the last write took: a large state is written less often


class StateKeeper:
    """Writes the state to `path`. A failure is logged, and the next change retries."""

    def __init__(self, state: State, path: Path, *, wait_s: float = WAIT_S) -> None:
        self._state = state
        self._path = path
        self._wait_s = wait_s
        self._dirty = False
        self._closing = asyncio.Event()
        self._took_s = 0.0
        self._writing: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Have the state written soon, in `wait_s` seconds unless it is large; needs a running loop."""
        self._dirty = True
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def aclose(self) -> None:
        """Write what has changed since the last time, whether or not anybody said so."""
        self._closing.set()
        if self._writing is not None:
            await self._writing
        await self._write()

    async def _write_soon(self) -> None:
        while self._dirty:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), max(self._wait_s, IDLE_SHARE * self._took_s))
            await self._write()

    async def _write(self) -> None:
        self._dirty, started_s = False, asyncio.get_running_loop().time()
        text = state_file.as_text(self._state)  # here, where nobody changes it meanwhile
        try:
            await asyncio.to_thread(state_file.save, self._path, text)
        except state_file.StateFileError as error:
            log.error("%s. What has changed is in memory only.", error)
        self._took_s = asyncio.get_running_loop().time() - started_s
