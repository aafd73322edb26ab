"""One run of ``hookyard up``, from the first process to the last.

Started in this order: Redis (unless ``REDIS_URL`` names one), the emulator (unless ``GL_URL`` names a
GitLab), ingress, workers, console. Stopped so that nothing is lost: the ingress first, then the workers,
which have their drain time, the console, the emulator, which handlers may be talking to, Redis last. The
second Ctrl-C has workers release what they run, and leaves everyone a few seconds.

A process that ends by itself is restarted after a growing delay. When that does not help, or its
settings are wrong, everything stops: half a Hookyard would only look as if it worked. Everything stops
as well when Redis ends, since a restart would hide whatever is wrong with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE
from hookyard.cli.up import redis as up_redis
from hookyard.cli.up.child import WRONG_SETTINGS, ChildProcess
from hookyard.cli.up.directory import RunningStack
from hookyard.cli.up.plan import child_specs, shared_environment
from hookyard.cli.up.reaper_process import ReaperProcess
from hookyard.cli.up.welcome import Welcome, text

if TYPE_CHECKING:
    from hookyard.cli.up.directory import UpDirectory
    from hookyard.cli.up.plan import UpPlan
    from hookyard.cli.up.printer import Printer
    from hookyard.redis.embedded import EmbeddedRedis

_SLOW_S: Final = 15.0
_POLL_S: Final = 0.1
_STOP_ORDER: Final = ("ingress", "worker", "console", "emulator")


class Stack:
    """Redis and the child processes of one plan."""

    def __init__(self, plan: UpPlan, directory: UpDirectory, printer: Printer) -> None:
        self._plan = plan
        self._directory = directory
        self._printer = printer
        self._stop_requested = asyncio.Event()
        printer.on_unread = self._stop_requested.set
        self._hurry = asyncio.Event()
        self._children: list[ChildProcess] = []

    async def run(self) -> int:
        """Run until a signal or a fault; return the exit code.

        :raises NoRedisServer: when no Redis can be started.
        """
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signum, self._on_signal, signum)
        redis = up_redis.make_redis(self._directory, self._printer) if self._plan.has_own_redis else None
        reaper = ReaperProcess(self._directory.lock)
        try:
            return await self._run(reaper, redis)
        finally:
            await self._stop_children()
            if redis is not None and (pid := redis.pid) is not None:
                await asyncio.to_thread(redis.stop)
                reaper.forget(pid)
            reaper.dismiss()
            self._printer.say("stopped; accepted deliveries are kept")

    async def _run(self, reaper: ReaperProcess, redis: EmbeddedRedis | None) -> int:
        settings, redis_pid = self._plan.settings, None
        if redis is not None:
            redis_pid = await up_redis.start(redis, reaper, self._stop_requested)
            self._printer.say(f"{redis.server} keeps its data in {self._directory.redis}")
        else:
            self._printer.say(f"REDIS_URL is set: using Redis at {settings.masked_redis_url}")
        url = redis.url if redis else settings.redis_url
        shared = shared_environment(self._plan, self._directory, url)
        self._directory.write(self._running_stack(shared, redis_pid))
        if not self._stop_requested.is_set():
            specs = child_specs(self._plan, shared)
            self._children += [ChildProcess(spec, self._printer, reaper) for spec in specs]
        return await self._wait_for_end(redis)

    async def _wait_for_end(self, redis: EmbeddedRedis | None) -> int:
        """Wait for a reason to stop, welcoming the user meanwhile; return the exit code."""
        requested = asyncio.create_task(self._stop_requested.wait())
        reasons: set[asyncio.Future[int] | asyncio.Task[bool] | asyncio.Task[None]] = {requested}
        reasons |= {child.gave_up for child in self._children}
        redis_end = asyncio.create_task(up_redis.wait_for_end(redis)) if redis else None
        if redis_end:
            reasons.add(redis_end)
        welcome = asyncio.create_task(self._welcome_when_ready())
        done, waiting = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        for task in (*waiting, welcome):
            task.cancel()
        if requested in done:
            return 0
        if redis_end in done:
            log = self._directory.redis / "redis.log"
            self._printer.say(f"Redis has ended; stopping everything. Its log: {log}")
            return EXIT_FAILED
        codes = [child.gave_up.result() for child in self._children if child.gave_up in done]
        self._printer.say("stopping everything")
        return EXIT_USAGE if WRONG_SETTINGS in codes else EXIT_FAILED

    async def _stop_children(self) -> None:
        for kind in _STOP_ORDER:
            these = [child for child in self._children if child.spec.name.startswith(kind)]
            await asyncio.gather(*(child.stop(self._hurry) for child in these))

    def _on_signal(self, signum: signal.Signals) -> None:
        if self._stop_requested.is_set():
            self._hurry.set()
            self._printer.say(f"{signum.name} again: stopping at once")
            return
        self._stop_requested.set()
        drain_s = self._plan.settings.drain_s
        self._printer.say(
            f"{signum.name}: stopping; running handlers have {drain_s:g} s. Ctrl-C again stops at once"
        )

    def _running_stack(self, shared: dict[str, str], redis_pid: int | None) -> RunningStack:
        addresses = {"ingress": f"{self._plan.ingress}/"}
        if self._plan.emulator:
            addresses["emulator"] = f"{self._plan.emulator}/"
        if self._plan.console:
            addresses["console"] = self._plan.console.partition("sign-in")[0]
        return RunningStack(
            pid=os.getpid(),
            started=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            addresses=addresses,
            environment=shared,
            redis_pid=redis_pid,
        )

    async def _welcome_when_ready(self) -> None:
        """Wait until every process answers, however long, and print what to try next."""
        import httpx

        wanted = {"the ingress": f"{self._plan.ingress}/ready"}
        if self._plan.emulator:
            wanted["the emulator"] = f"{self._plan.emulator}/"
        if self._plan.console:
            wanted["the console"] = self._plan.console.partition("sign-in")[0] + "health"
        started, said = time.monotonic(), False
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while wanted:
                for name, url in list(wanted.items()):
                    with contextlib.suppress(httpx.HTTPError):
                        if (await client.get(url)).is_success:
                            del wanted[name]
                if wanted and not said and time.monotonic() - started > _SLOW_S:
                    self._printer.say(f"still waiting for {' and '.join(wanted)}")
                    said = True
                await asyncio.sleep(_POLL_S)
        workers = [child for child in self._children if child.spec.name.startswith("worker")]
        await asyncio.gather(*(child.has_printed.wait() for child in workers))
        self._printer.plain(text(self._welcome()))

    def _welcome(self) -> Welcome:
        plan, settings = self._plan, self._plan.settings
        return Welcome(
            command=_command_name(),
            ingress=plan.ingress,
            emulator=plan.emulator,
            console=plan.console,
            gitlab=settings.gitlab_url,
            handlers=settings.handlers,
            redis="its own, in .hookyard/redis" if plan.has_own_redis else settings.masked_redis_url,
            authentication=(
                "made-up"
                if plan.made_up_secret
                else "given"
                if settings.secret_tokens or settings.signing_tokens
                else "none"
            ),
        )


def _command_name() -> str:
    """Return what to type for ``hookyard`` in this directory: that, or the path of the command."""
    script = Path(sys.argv[0])
    if script.name != "hookyard":
        script = Path(sys.executable).parent / "hookyard"
    found = shutil.which("hookyard")
    if found and Path(found).resolve() == script.resolve():
        return "hookyard"
    absolute = script.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
