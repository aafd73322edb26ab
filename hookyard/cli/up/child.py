"""The processes of ``hookyard up``: started, restarted, stopped, their output in one terminal.

honcho prints the lines, each process in its colour. Its manager is not used: it stops all processes
at once when one ends, but here ingress, worker and Redis must stop in that order, and one that
crashes is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from honcho.colour import get_colours  # type: ignore[import-untyped]  # it has no types
from honcho.printer import Message, Printer  # type: ignore[import-untyped]

from hookyard.cli.launch import wants_colour
from hookyard.cli.up import reaper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

STARTED_WELL_S: Final = 10.0
"""A process that ran for so long had started well; one that ends sooner counts as a failed start."""

FAILED_STARTS: Final = 5
"""After so many failed starts in a row it is given up."""

WRONG_SETTINGS: Final = 2
"""The exit code of our processes that says: starting again cannot help."""

_LAST_WORDS_S: Final = 2.0
_HURRIED_S: Final = 3.0
_LONGEST_LINE: Final = 64 * 1024
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*m")
_STAMP: Final = re.compile(r"^((?:\x1b\[[0-9;]*m)*)\d{4}-\d\d-\d\dT[\d:.]+Z((?:\x1b\[[0-9;]*m)*) ")


def restart_delay_s(*, exit_code: int, failed_starts: int) -> float | None:
    """Return how long to wait before restarting a process that ended by itself; ``None``: give up.

    :param failed_starts: how many starts in a row failed, this one included.
    """
    if exit_code == WRONG_SETTINGS or failed_starts >= FAILED_STARTS:
        return None
    return 0.5 * float(2**failed_starts)


class Terminal:
    """Prints lines of many processes, told apart by name and colour.

    ``when_unread`` is called when nobody reads them any more; from then on nothing is printed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.when_unread: Callable[[], None] = lambda: None
        self._is_read = True
        colours = get_colours()
        self._colours = {name: next(colours) for name in names}
        self._is_coloured = sys.stdout.isatty() and wants_colour()
        width = max(len(name) for name in [*names, "up"])
        self._printer = Printer(sys.stdout, width=width, colour=self._is_coloured)

    def say(self, line: str, *, name: str = "up") -> None:
        """Print *line*, with its time and who says it. A time that the line begins with is dropped."""
        line = _STAMP.sub(r"\1\2", line)
        if not self._is_coloured:
            line = _ESCAPES.sub("", line)
        message = Message(
            type="line",
            data=line or " ",
            time=datetime.now().astimezone(),
            name=name,
            colour=self._colours.get(name),
        )
        self._try(lambda: self._printer.write(message))

    def plain(self, text: str) -> None:
        """Print *text* as it is."""
        self._try(lambda: print(text, flush=True))  # noqa: T201 - the command's own output

    def _try(self, write: Any) -> None:
        if not self._is_read:
            return
        try:
            write()
        except OSError:  # the pipe or the terminal is gone
            self._is_read = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.when_unread()


class ReaperProcess:
    """The process that ends the others should this one be killed; see ``up_guard``."""

    def __init__(self, lock: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(reaper.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
            cwd="/",
        )

    def watch(self, pid: int, signum: signal.Signals = signal.SIGKILL) -> None:
        """Have *pid* ended by *signum* should this process die."""
        self._tell(f"+ {pid} {signum.name}")

    def forget(self, pid: int) -> None:
        """Say that *pid* has ended."""
        self._tell(f"- {pid}")

    def dismiss(self) -> None:
        """End the guard; what it still watches is ended as well."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened above
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was opened above
        with contextlib.suppress(OSError):  # somebody killed the guard: go on without
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """A process that is to run: its name, what starts it, and how long it may take to stop."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    stop_timeout_s: float


class ChildProcess:
    """One process, kept running until it is stopped.

    ``has_spoken`` is set once it has printed something; ``gave_up`` holds its last exit code when it
    cannot be kept running.
    """

    def __init__(self, plan: ChildSpec, terminal: Terminal, guard: ReaperProcess) -> None:
        self.plan = plan
        self.has_spoken = asyncio.Event()
        self.gave_up: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._terminal = terminal
        self._guard = guard
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep_running(), name=plan.name)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Have it end in good order; *hurry*, set now or meanwhile, gives it little time for that."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if not await self._has_ended(self.plan.stop_timeout_s, hurry) and hurry.is_set():
            # At the second signal a worker hands its deliveries back, and an ingress ends at once. Two
            # of a kind may reach it as one.
            self._signal(signal.SIGINT)
            await self._has_ended(_HURRIED_S)
        if not self._keeping.done() and self._process is not None:
            self._terminal.say(f"{self.plan.name} does not end; killing it")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._keeping

    async def _has_ended(self, within_s: float, unless: asyncio.Event | None = None) -> bool:
        waits = [self._keeping] if unless is None else [self._keeping, asyncio.ensure_future(unless.wait())]
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits[1:]:
            wait.cancel()
        return self._keeping.done()

    async def _keep_running(self) -> None:
        failed_starts = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            exit_code = await self._run_once()
            if self._stopping.is_set():
                return
            failed_starts = failed_starts + 1 if time.monotonic() - began < STARTED_WELL_S else 1
            wait_s = restart_delay_s(exit_code=exit_code, failed_starts=failed_starts)
            ended = f"{self.plan.name} {_how(exit_code)}"
            if wait_s is None:
                self._terminal.say(f"{ended}; starting it again would not help")
                self.gave_up.set_result(exit_code)
                return
            self._terminal.say(f"{ended}; starting it again in {wait_s:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()

    async def _run_once(self) -> int:
        """Start it, print what it prints, and return its exit code (negative: the signal's number)."""
        process = await asyncio.create_subprocess_exec(
            *self.plan.command,
            env=self.plan.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is for `up`, which stops all in order
        )
        self._guard.watch(process.pid)
        self._process = process
        if self._stopping.is_set():  # told so while it was being started
            self._signal(signal.SIGTERM)
        assert process.stdout is not None  # noqa: S101 - it was opened above
        printing = asyncio.create_task(self._print(process.stdout))
        exit_code = await process.wait()
        self._guard.forget(process.pid)
        # what it has started may hold the pipe open
        await asyncio.wait([printing], timeout=_LAST_WORDS_S)
        printing.cancel()
        return exit_code

    def _signal(self, signum: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    async def _print(self, output: asyncio.StreamReader) -> None:
        async for line in _lines(output):
            self._terminal.say(line, name=self.plan.name)
            self.has_spoken.set()


async def _lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of *output*; one without end is cut, rather than kept in memory."""
    waiting = b""
    while chunk := await output.read(_LONGEST_LINE):
        *whole, waiting = (waiting + chunk).split(b"\n")
        if len(waiting) > _LONGEST_LINE:
            whole, waiting = [*whole, waiting], b""
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if waiting:
        yield waiting.decode("utf-8", "replace")


def _how(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"
