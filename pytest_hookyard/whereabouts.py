"""Where the handlers of a worker are just now: what each of them waits for, or is busy with."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from hookyard.host import invoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def whereabouts(loop: asyncio.AbstractEventLoop) -> str:
    """Return the stack of each handler that runs, from the bot's own code on; empty when none does.

    May be called from any thread, also while a handler blocks the loop.
    """
    stacks = [*(_waiting(task.get_coro()) for task in asyncio.all_tasks(loop)), *_busy()]
    lines = [line for stack in stacks for line in _from_the_bot(stack)]
    return "The handler is here:\n" + "".join(lines) if lines else ""


def _waiting(coroutine: Any) -> list[FrameType]:
    """Return the frames of a task that is suspended, outermost first."""
    frames: list[FrameType] = []
    while coroutine is not None:
        if (frame := getattr(coroutine, "cr_frame", None)) is not None:
            coroutine = coroutine.cr_await
        elif (frame := getattr(coroutine, "gi_frame", None)) is not None:
            coroutine = frame.f_locals.get("coroutine")  # the handler's, which ``invoke`` drives itself
        else:
            break
        frames.append(frame)
    return frames


def _busy() -> Iterator[list[FrameType]]:
    """Yield the frames of each other thread, outermost first."""
    for thread, frame in sys._current_frames().items():  # noqa: SLF001 - documented, the only way to see them
        if thread != threading.get_ident():
            yield [one for one, _ in traceback.walk_stack(frame)][::-1]


def _from_the_bot(frames: list[FrameType]) -> list[str]:
    """Return what follows the worker's own last frame, which is the call of the handler."""
    ours = [place for place, frame in enumerate(frames) if frame.f_code.co_filename == invoke.__file__]
    if not ours:
        return []
    theirs = [(frame, frame.f_lineno) for frame in frames[ours[-1] + 1 :]]
    return traceback.StackSummary.extract(theirs).format()
