"""The command ``up``: everything on this machine, in one terminal, until Ctrl-C.

Killed outright, it leaves nothing behind either: see :mod:`hookyard.cli.up.reaper`.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Annotated, Final

import typer

from hookyard.cli.emulator import IS_INSTALLED, NEEDED
from hookyard.cli.output.terminal import EXIT_USAGE, stop
from hookyard.cli.up import redis as up_redis
from hookyard.cli.up.directory import RunningStack, UpDirectory, is_alive
from hookyard.cli.up.plan import make_plan, port_conflict
from hookyard.cli.up.printer import Printer
from hookyard.cli.up.stack import Stack
from hookyard.redis.embedded import NoRedisServer
from hookyard.settings.settings import SettingsError

_PREDECESSOR_S: Final = 30.0
_POLL_S: Final = 0.1


def up(
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Port of the ingress; 0 takes a free one.",
            min=0,
            max=65535,
            show_default="HOOKYARD_PORT, else 8000",
        ),
    ] = None,
    emulator_port: Annotated[
        int, typer.Option(metavar="PORT", help="Port of the emulator; 0 takes a free one.", min=0, max=65535)
    ] = 8002,
    console_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Port of the console; 0 takes a free one.",
            min=0,
            max=65535,
            show_default="HOOKYARD_CONSOLE_PORT, else 8001",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="How many workers to run.", min=1, max=64)] = 1,
    reload: Annotated[
        bool, typer.Option("--reload", help="Load the bot again when its files change; nothing is cut off.")
    ] = False,
) -> None:
    """Run everything on this machine until Ctrl-C.

    Starts Redis, a GitLab emulator, an ingress, a worker and a console.
    Once they are ready, prints what to try next.

    Redis keeps its data in .hookyard/; with REDIS_URL set, that one is used.

    With GL_URL set, that GitLab is used instead of the emulator.
    """
    os.umask(0o077)  # payloads and secrets are in what is written from now on
    directory = UpDirectory()
    try:
        plan = make_plan(
            port=port,
            emulator_port=emulator_port,
            console_port=console_port,
            workers=workers,
            reload=reload,
            make_up_secret=directory.secret,
        )
    except SettingsError as exc:
        stop(str(exc), EXIT_USAGE)
    except OSError as exc:
        stop(f"`hookyard up` failed: {exc}")
    if plan.emulator is not None and not IS_INSTALLED:
        stop(f"{NEEDED} Or set GL_URL to a GitLab.", EXIT_USAGE)
    printer = Printer(plan.names)
    try:
        if not _acquire(directory, printer):
            stop(_already_running(directory.last()))
        up_redis.stop_leftover(directory.last(), printer)
        if conflict := port_conflict(plan):
            stop(conflict)
        code = asyncio.run(Stack(plan, directory, printer).run())
    except (NoRedisServer, up_redis.StillRunning) as exc:
        stop(str(exc))
    except OSError as exc:
        stop(f"`hookyard up` failed: {exc}")
    finally:
        directory.release()
    raise typer.Exit(code)


def _acquire(directory: UpDirectory, printer: Printer) -> bool:
    """Lock the directory; wait while the processes of a killed ``up`` are still ending there."""
    deadline, said = time.monotonic() + _PREDECESSOR_S, False
    while not directory.acquire():
        last = directory.last()
        if last is None or is_alive(last.pid) or time.monotonic() > deadline:
            return False
        if not said:
            printer.say("an earlier `hookyard up` was killed; waiting for its processes to end")
        said = True
        time.sleep(_POLL_S)
    return True


def _already_running(stack: RunningStack | None) -> str:
    if stack is None:
        return "Another `hookyard up` is starting or stopping in this directory; try again in a moment."
    addresses = "".join(f"\n  {name:<9} {address}" for name, address in stack.addresses.items())
    return (
        f"`hookyard up` already runs in this directory: process {stack.pid}, since {stack.started}."
        f"{addresses}\n"
        "Other commands find it by themselves; stop it with Ctrl-C in its terminal."
    )
