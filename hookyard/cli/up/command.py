"""``hookyard up``: everything on this machine, in one terminal, until Ctrl-C.

Begun in this order: Redis (unless ``REDIS_URL`` names one), the emulator (unless ``GL_URL`` names a
GitLab), ingress, workers. Ended so that nothing is lost: the ingress first, then the workers, which
have their drain time, then the emulator, which handlers may be talking to, Redis last. The second
Ctrl-C has the workers hand back what they run, and gives nobody more than a few seconds.

A process that ends by itself is started again after a while that grows. When that does not help, or
it says that its settings are wrong, all is stopped: half a Hookyard would only look as if it worked.
The same when Redis ends, since something is wrong then that a new start would hide.

Killed outright, it leaves nothing behind either: see ``up_guard``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from hookyard.cli.emulator import IS_INSTALLED, NEEDED
from hookyard.cli.launch import command_name
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, stop
from hookyard.cli.up import redis as up_redis
from hookyard.cli.up.child import WRONG_SETTINGS, ChildProcess, ReaperProcess, Terminal
from hookyard.cli.up.directory import RunningStack, UpDirectory, is_alive
from hookyard.cli.up.plan import UpPlan, child_specs, make_plan, shared_environment, taken_port
from hookyard.cli.up.welcome import Welcome, text
from hookyard.redis.embedded import EmbeddedRedis, NoRedisServer
from hookyard.settings.settings import SettingsError

_SLOW_S: Final = 15.0
_PREDECESSOR_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.1
_ENDING_ORDER: Final = ("ingress", "worker", "emulator")


def up(
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="The ingress's port; 0 takes a free one. (default: 8000)",
            min=0,
            max=65535,
            show_default=False,
        ),
    ] = None,
    emulator_port: Annotated[
        int, typer.Option(metavar="PORT", help="The emulator's port; 0 takes a free one.", min=0, max=65535)
    ] = 8002,
    workers: Annotated[int, typer.Option(metavar="N", help="How many worker processes.", min=1, max=64)] = 1,
) -> None:
    """Run everything on this machine until Ctrl-C.

    Redis, a GitLab emulator, an ingress and a worker, in one terminal.
    Once all is up, it prints what to try next.

    Its Redis keeps its data in .hookyard/; with REDIS_URL set it uses that one.
    With GL_URL set it uses that GitLab and no emulator.
    """
    try:
        layout = make_plan(port=port, emulator_port=emulator_port, workers=workers)
    except SettingsError as exc:
        stop(str(exc), EXIT_USAGE)
    if layout.emulator is not None and not IS_INSTALLED:
        stop(f"{NEEDED} Or set GL_URL to a GitLab.", EXIT_USAGE)
    directory, terminal = UpDirectory(), Terminal(layout.names)
    try:
        if not _take(directory, terminal):
            stop(_who_is_there(directory.last()))
        up_redis.end_leftover(directory.last(), terminal)
        if taken := taken_port(layout):
            stop(taken)
        code = asyncio.run(_Up(layout, directory, terminal).run())
    except (NoRedisServer, up_redis.StillRunning) as exc:
        stop(str(exc))
    except OSError as exc:
        stop(f"`hookyard up` cannot go on: {exc}")
    finally:
        directory.let_go()
    raise typer.Exit(code)


def _take(directory: UpDirectory, terminal: Terminal) -> bool:
    """Take the directory; wait for what a killed ``up`` has left there to end."""
    deadline, said = time.monotonic() + _PREDECESSOR_S, False
    while not directory.take():
        last = directory.last()
        if last is None or is_alive(last.pid) or time.monotonic() > deadline:
            return False
        if not said:
            terminal.say("an earlier `hookyard up` was killed; waiting for its processes to end")
        said = True
        time.sleep(_LOOK_AGAIN_S)
    return True


def _who_is_there(here: RunningStack | None) -> str:
    if here is None:
        return "Another `hookyard up` starts or stops in this directory just now; try again in a moment."
    addresses = "".join(f"\n  {name:<9} {address}" for name, address in here.addresses.items())
    return (
        f"`hookyard up` already runs in this directory: process {here.pid}, since {here.started}."
        f"{addresses}\n"
        "Other commands find it by themselves; stop it with Ctrl-C where it runs."
    )


class _Up:
    """One run of ``hookyard up``, from the first process to the last."""

    def __init__(self, layout: UpPlan, directory: UpDirectory, terminal: Terminal) -> None:
        self._layout = layout
        self._directory = directory
        self._terminal = terminal
        self._asked_to_stop = asyncio.Event()
        terminal.when_unread = self._asked_to_stop.set
        self._hurry = asyncio.Event()
        self._children: list[ChildProcess] = []

    async def run(self) -> int:
        """Run until a signal or a fault; gives the exit code.

        :raises NoRedisServer: when there is no Redis to be had.
        """
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signum, self._on_signal, signum)
        redis = up_redis.make_redis(self._directory, self._terminal) if self._layout.has_own_redis else None
        guard = ReaperProcess(self._directory.lock)
        try:
            return await self._run(guard, redis)
        finally:
            await self._stop_children()
            if redis is not None and (pid := redis.pid) is not None:
                await asyncio.to_thread(redis.stop)
                guard.forget(pid)
            guard.dismiss()
            self._terminal.say("stopped; what was accepted is kept")

    async def _run(self, guard: ReaperProcess, redis: EmbeddedRedis | None) -> int:
        settings, redis_pid = self._layout.settings, None
        if redis is not None:
            redis_pid = await up_redis.start(redis, guard, self._asked_to_stop)
            self._terminal.say(f"{redis.server} keeps its data in {self._directory.redis}")
        else:
            self._terminal.say(f"REDIS_URL is set: using Redis at {settings.masked_redis_url}")
        url = redis.url if redis else settings.redis_url
        shared = shared_environment(self._layout, self._directory, url)
        self._directory.write(self._here(shared, redis_pid))
        if not self._asked_to_stop.is_set():
            plans = child_specs(self._layout, shared)
            self._children += [ChildProcess(plan, self._terminal, guard) for plan in plans]
        return await self._until_the_end(redis)

    async def _until_the_end(self, redis: EmbeddedRedis | None) -> int:
        """Wait for a reason to stop, greeting the user meanwhile; gives the exit code."""
        asked = asyncio.create_task(self._asked_to_stop.wait())
        reasons: set[asyncio.Future[int] | asyncio.Task[bool] | asyncio.Task[None]] = {asked}
        reasons |= {child.gave_up for child in self._children}
        redis_end = asyncio.create_task(up_redis.wait_for_end(redis)) if redis else None
        if redis_end:
            reasons.add(redis_end)
        greeting = asyncio.create_task(self._greet())
        done, waiting = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        for task in (*waiting, greeting):
            task.cancel()
        if asked in done:
            return 0
        if redis_end in done:
            self._terminal.say(
                f"Redis has ended, so all is stopped; see {self._directory.redis / 'redis.log'}"
            )
            return EXIT_FAILED
        codes = [child.gave_up.result() for child in self._children if child.gave_up in done]
        self._terminal.say("so all is stopped")
        return EXIT_USAGE if WRONG_SETTINGS in codes else EXIT_FAILED

    async def _stop_children(self) -> None:
        for kind in _ENDING_ORDER:
            these = [child for child in self._children if child.plan.name.startswith(kind)]
            await asyncio.gather(*(child.stop(self._hurry) for child in these))

    def _on_signal(self, signum: signal.Signals) -> None:
        if self._asked_to_stop.is_set():
            self._hurry.set()
            self._terminal.say(f"{signum.name} again: stopping at once")
            return
        self._asked_to_stop.set()
        drain_s = self._layout.settings.drain_s
        self._terminal.say(
            f"{signum.name}: stopping; running handlers have {drain_s:g} s. Once more stops at once"
        )

    def _here(self, shared: dict[str, str], redis_pid: int | None) -> RunningStack:
        layout = self._layout
        addresses = {"ingress": f"{layout.ingress}/"}
        if layout.emulator:
            addresses["emulator"] = f"{layout.emulator}/"
        return RunningStack(
            pid=os.getpid(),
            started=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            addresses=addresses,
            environment=shared,
            redis_pid=redis_pid,
        )

    async def _greet(self) -> None:
        """Wait until everything answers, however long, and print what to try next."""
        import httpx

        layout = self._layout
        wanted = {"the ingress": f"{layout.ingress}/ready"}
        if layout.emulator:
            wanted["the emulator"] = f"{layout.emulator}/"
        started, said = time.monotonic(), False
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while wanted:
                for name, url in list(wanted.items()):
                    with contextlib.suppress(httpx.HTTPError):
                        if (await client.get(url)).is_success:
                            del wanted[name]
                if wanted and not said and time.monotonic() - started > _SLOW_S:
                    self._terminal.say(f"still waiting for {' and '.join(wanted)}")
                    said = True
                await asyncio.sleep(_LOOK_AGAIN_S)
        workers = [child for child in self._children if child.plan.name.startswith("worker")]
        await asyncio.gather(*(child.has_spoken.wait() for child in workers))
        self._terminal.plain(text(self._welcome()))

    def _welcome(self) -> Welcome:
        layout, settings = self._layout, self._layout.settings
        return Welcome(
            command=command_name(),
            ingress=layout.ingress,
            emulator=layout.emulator,
            gitlab=settings.gitlab_url,
            handlers=settings.handlers,
            redis="its own, in .hookyard/redis" if layout.has_own_redis else settings.masked_redis_url,
            has_secret=not layout.is_open and not settings.allow_unauthenticated,
        )
