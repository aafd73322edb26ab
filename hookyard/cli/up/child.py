"""A child process of ``hookyard up``: started, restarted when it ends by itself, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hookyard.cli.up.printer import Printer
    from hookyard.cli.up.reaper_process import ReaperProcess

STARTED_WELL_S: Final = 10.0
"""A process that lasted this long had started well; one that ends sooner counts as a failed start."""

FAILED_STARTS: Final = 5
"""After this many failed starts in a row a process is given up."""

WRONG_SETTINGS: Final = 2
"""The exit code by which our processes say that a restart cannot help."""

_LAST_OUTPUT_S: Final = 2.0
_HURRIED_S: Final = 3.0
_LONGEST_LINE: Final = 64 * 1024


def restart_delay_s(*, exit_code: int, failed_starts: int) -> float | None:
    """Return how long to wait before restarting a process that ended by itself; ``None``: give up.

    :param failed_starts: how many starts in a row failed, this one included.
    """
    if exit_code == WRONG_SETTINGS or failed_starts >= FAILED_STARTS:
        return None
    return 0.5 * float(2**failed_starts)


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """A process to run: its name, its command, and how long it may take to stop."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    stop_timeout_s: float


class ChildProcess:
    """One process, kept running until it is stopped.

    ``has_printed`` is set by its first output; ``gave_up`` holds its last exit code when it cannot be
    kept running.
    """

    def __init__(self, spec: ChildSpec, printer: Printer, reaper: ReaperProcess) -> None:
        self.spec = spec
        self.has_printed = asyncio.Event()
        self.gave_up: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._printer = printer
        self._reaper = reaper
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep_running(), name=spec.name)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stop it in good order; *hurry*, set now or meanwhile, leaves it only seconds for that."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if not await self._has_ended(self.spec.stop_timeout_s, hurry) and hurry.is_set():
            # At the second signal a worker releases its deliveries, and an ingress ends at once. Two
            # signals of one kind may arrive as one.
            self._signal(signal.SIGINT)
            await self._has_ended(_HURRIED_S)
        if not self._keeping.done() and self._process is not None:
            self._printer.say(f"{self.spec.name} does not stop; killing it")
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
            delay_s = restart_delay_s(exit_code=exit_code, failed_starts=failed_starts)
            ended = f"{self.spec.name} {_ending(exit_code)}"
            if delay_s is None:
                self._printer.say(f"{ended}; a restart would not help")
                self.gave_up.set_result(exit_code)
                return
            self._printer.say(f"{ended}; restarting it in {delay_s:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()

    async def _run_once(self) -> int:
        """Start it, print its output, and return its exit code (negative: the signal's number)."""
        process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            env=self.spec.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is for `up`, which stops all in order
        )
        self._reaper.watch(process.pid)
        self._process = process
        if self._stopping.is_set():  # stopped while it was being started
            self._signal(signal.SIGTERM)
        assert process.stdout is not None  # noqa: S101 - it was opened above
        printing = asyncio.create_task(self._print(process.stdout))
        exit_code = await process.wait()
        self._reaper.forget(process.pid)
        # a process that it started may hold the pipe open
        await asyncio.wait([printing], timeout=_LAST_OUTPUT_S)
        printing.cancel()
        return exit_code

    def _signal(self, signum: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    async def _print(self, output: asyncio.StreamReader) -> None:
        async for line in _lines(output):
            self._printer.say(line, name=self.spec.name)
            self.has_printed.set()


async def _lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of *output*; an endless one is cut rather than kept in memory."""
    pending = b""
    while chunk := await output.read(_LONGEST_LINE):
        *whole, pending = (pending + chunk).split(b"\n")
        if len(pending) > _LONGEST_LINE:
            whole, pending = [*whole, pending], b""
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if pending:
        yield pending.decode("utf-8", "replace")


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"
