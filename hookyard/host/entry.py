"""The life of one host process: import the bot, serve its supervisor, end."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import signal
import socket
import sys
import warnings
from typing import TYPE_CHECKING, Final, TextIO

import uvloop

from hookyard.host.host import Host, NotUsable
from hookyard.host.invoke import log_context, note_unawaited
from hookyard.host.link import connect
from hookyard.host.load import HandlersError, load_router
from hookyard.host.messages import Unusable, read_orders
from hookyard.settings.settings import load_or_exit
from hookyard.startup import freeze_startup_objects
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from hookyard.settings.settings import Settings

log = logs.get_logger("worker")

_RECURSION_LIMIT: Final = 5_000
"""Above Python's own 1,000, so that JSON which an ingress could parse is never too deep for a handler."""


def run(*, link: int, cell: int) -> None:
    """Serve one supervisor until it stops this host or is gone; does not return.

    :param link: the descriptor of the socket to the supervisor.
    :param cell: that of the memory shared with it.
    """
    settings = load_or_exit()
    logs.configure("worker", level=settings.log_level, log_format=settings.log_format, context=log_context)
    _leave_signals_to_the_supervisor()
    sys.setrecursionlimit(_RECURSION_LIMIT)
    shared = memoryview(mmap.mmap(cell, mmap.PAGESIZE)).cast("q")
    sock = socket.socket(fileno=link)
    try:
        bot: Router | HandlersError = load_router(settings.handlers)
    except HandlersError as exc:
        bot = exc
    _charge_missing_awaits()  # after the bot, which may have called logging.captureWarnings
    freeze_startup_objects()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        serving = runner.get_loop().create_task(serve(bot, settings, sock, shared))
        while not serving.done():
            # a task of the bot's that ends so ends the loop; whoever awaits that task hears of it anyway
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                runner.get_loop().run_until_complete(serving)
        serving.result()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread of the bot's that hangs would keep Python from ending


async def serve(
    bot: Router | HandlersError, settings: Settings, sock: socket.socket, cell: memoryview[int]
) -> None:
    """Be a host until its supervisor stops it or is gone, or until this is cancelled.

    :param sock: the link to the supervisor.
    :param cell: the memory shared with it; see ``invoke.Cell``.
    """
    gone = asyncio.Event()
    try:
        host = await _opened(bot, settings, cell)
    except NotUsable as exc:
        link = await connect(sock, read_orders, receive=lambda _order: None, closed=gone.set)
        link.send(Unusable(faults=exc.faults, may_pass=exc.may_pass))
        link.close()
        return
    link = await connect(sock, read_orders, receive=host.receive, closed=host.stopped.set)
    host.connect(link)
    try:
        await host.stopped.wait()
    finally:
        await host.close()
        link.close()


async def _opened(bot: Router | HandlersError, settings: Settings, cell: memoryview[int]) -> Host:
    """Return a host that can run the bot's handlers.

    :raises NotUsable: when none can.
    """
    if isinstance(bot, HandlersError):
        raise NotUsable((str(bot),))
    host = Host(bot, settings, cell=cell)
    if faults := host.registry.faults():
        raise NotUsable(faults)
    await host.open()
    return host


def _leave_signals_to_the_supervisor() -> None:
    """Survive what a service manager sends to all processes of a service: the supervisor drains its hosts.

    A function does nothing, where ``SIG_IGN`` would be inherited by what handlers start.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)


def _charge_missing_awaits() -> None:
    """Make a coroutine that a handler never awaited that handler's failure, besides Python's warning."""
    warnings.filterwarnings("always", message="coroutine .* was never awaited", category=RuntimeWarning)
    show = warnings.showwarning

    def show_and_charge(  # noqa: PLR0917 - the signature of warnings.showwarning
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = str(message).splitlines()[0] if str(message) else ""
        if issubclass(category, RuntimeWarning) and text.endswith("was never awaited"):
            note_unawaited(text.removesuffix(" was never awaited"))
        show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_and_charge
