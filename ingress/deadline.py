"""How long something may take, where it is asked of every request: one timer for all of them.

``asyncio.timeout`` costs a timer each, which at ten thousand requests a second is a tenth of their time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

_LOOKS: Final = 10


class Patience:
    """A limit on the time in ``with`` blocks, one for all tasks; raises TimeoutError, a tenth late at most.

    A task can be in one such block at a time.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[asyncio.Task[object], float] = {}  # in order of age
        self._loop: asyncio.AbstractEventLoop | None = None  # where the timer runs, if one does

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be waited for")
        loop = asyncio.get_running_loop()
        self._since[task] = loop.time()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self._limit_s / _LOOKS, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, _exc: BaseException | None, _trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        if task is None or self._since.pop(task, None) is not None:
            return
        if task.uncancel() == 0 and kind is asyncio.CancelledError:  # ours alone
            raise TimeoutError

    def _look(self) -> None:
        """Cancel what is overdue, and look again as long as there is anything."""
        loop = asyncio.get_running_loop()
        before = loop.time() - self._limit_s
        for task, since in list(self._since.items()):
            if since > before:
                break
            del self._since[task]
            task.cancel()
        self._loop = None
        if self._since:
            self._loop = loop
            loop.call_later(self._limit_s / _LOOKS, self._look)
