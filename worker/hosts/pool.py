"""The hosts of one worker: start them, give each attempt to one, replace those that hang or die.

Coroutines share ``HOOKYARD_HOSTS`` hosts. Plain functions have a host of their kind, since nothing can
cancel a thread. An attempt that may have ended its host runs alone until it is known whether it did.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from hookyard.telemetry import logs
from worker.hosts.gone import HostGone
from worker.hosts.handle import BotUnusable, Kind
from worker.hosts.starting import Starts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from hookyard.host.messages import ScheduleInfo
    from worker.hosts.handle import HostHandle, Running
    from worker.hosts.host_body import Body

log = logs.get_logger("worker")

ALONE_HOSTS: Final = 4
"""So many attempts that are suspected of ending their host run at once, each in a host of its own."""

LOOK_EVERY_S: Final = 0.25
IDLE_S: Final = 30.0
"""A host for what runs alone ends when nothing has run in it for this long."""

UNRESPONSIVE_S: Final = 1.0
"""A host whose loop has not got round for so long is blocked."""

_RELOADED: Final = "reloaded"
_STOP_S: Final = 5.0
_START_AGAIN_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_MEMORY_EVERY: Final = 20  # looks after which the memory of the hosts is read again


class HostPool:
    """All hosts of one worker.

    :param start: starts a host of a kind; ``handle.gone`` is called when it has ended.
    :param count: shared hosts.
    :param max_attempts: a host is replaced after so many attempts; 0 for never.
    :param max_memory_bytes: and when it holds more memory than this; 0 for no limit.
    """

    def __init__(
        self,
        start: Callable[[Kind], tuple[HostHandle, Body]],
        *,
        count: int,
        max_attempts: int = 0,
        max_memory_bytes: int = 0,
        replaced: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.fault: str | None = None
        self.has_lines = False  # whether a handler of the bot takes turns with others
        self._start = start
        self._count = count
        self._max_attempts = max_attempts
        self._max_memory_bytes = max_memory_bytes
        self._replaced = replaced
        self._hosts: dict[HostHandle, Body] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._starting: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._looks = 0
        self._starts = Starts(self._set_fault)
        self._reloaded = asyncio.Event()  # set at the next reload, and then replaced

    @property
    def hosts(self) -> list[tuple[HostHandle, Body]]:
        """All hosts that live."""
        return list(self._hosts.items())

    @property
    def schedules(self) -> tuple[ScheduleInfo, ...]:
        """Those of the bot, as the newest host has it."""
        return next((handle.schedules for handle in reversed(self._hosts) if handle.is_ready), ())

    def events(self) -> frozenset[str]:
        """Return the events that the bot has handlers for."""
        return frozenset(event for handle in self._hosts for event in handle.events)

    async def open(self) -> None:
        """Start the shared hosts; return once one of them is ready, however long that takes.

        :raises BotUnusable: when the first that reports cannot use the bot, and never will.
        """
        handles = [self._launch(Kind.SHARED) for _ in range(self._count)]
        self._starting[Kind.SHARED] = self._count
        done, _ = await asyncio.wait(
            [handle.ready for handle in handles], return_when=asyncio.FIRST_COMPLETED
        )
        for ready in done:
            fault = ready.exception()
            if fault is not None and not (isinstance(fault, BotUnusable) and fault.may_pass):
                raise fault
        for handle in handles:
            self._spawn(self._settle_in(handle))
        while (ready_one := next((handle for handle in self._hosts if handle.is_ready), None)) is None:
            await self._change()
        self.has_lines = ready_one.has_lines
        if any(info.is_plain for info in ready_one.infos):
            self._ensure(Kind.PLAIN)
        self._spawn(self._watch())

    async def close(self) -> None:
        """Stop all hosts; what still runs in one is cut off."""
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for handle, body in self.hosts:
            if handle.running or not handle.is_ready:
                body.kill()
            else:
                with contextlib.suppress(HostGone):
                    handle.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                while self._hosts:
                    await self._change()
        for handle, body in self.hosts:
            body.kill()
            handle.gone("stopped", ordered=True)

    def try_acquire(self, kind: Kind) -> HostHandle | None:
        """Return a host of this kind that has room, with room in it reserved, if there is one."""
        handle = self._least_loaded(kind)
        if handle is not None:
            handle.reserved += 1
        return handle

    async def acquire(self, kind: Kind) -> HostHandle:
        """Return such a host, as long as it takes for there to be one; :meth:`release` it."""
        while (handle := self.try_acquire(kind)) is None:
            self._ensure(kind, waiting=len(self._waiting) + 1)
            await self._change()
        return handle

    def release(self, handle: HostHandle) -> None:
        """Give the room in a host back."""
        handle.reserved -= 1
        if self._waiting:
            self.changed()

    def reload(self) -> None:
        """Replace each host, once its successor has imported the bot."""
        self._reloaded.set()
        self._reloaded = asyncio.Event()
        for handle, _ in self.hosts:
            if handle.is_usable and not handle.has_successor:
                self._succeed(handle, _RELOADED)

    def close_run(self, run: int) -> None:
        """Have every host that was given this run forget it."""
        for handle in self._hosts:
            with contextlib.suppress(HostGone):
                handle.close_run(run)

    def changed(self) -> None:
        """Wake up all who wait for a host."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def ended(self, handle: HostHandle, how: str) -> None:
        """Take note that a host's process has ended, for whatever reason."""
        self._hosts.pop(handle, None)
        if not self._is_closing and not handle.is_gone and not handle.is_retiring:
            log.error(
                "host crashed",
                how=how,
                kind=handle.kind,
                running=_counted(handle.running.values()),
                next="each that ran in it runs again, alone" if len(handle.running) > 1 else None,
            )
            self._replaced("crashed")
        was_ready = handle.is_ready
        if handle.killed_for is None:
            handle.gone(how, ordered=self._is_closing)
        else:
            handle.gone("killed: a handler did not end", overdue=handle.killed_for)
        if was_ready and not self._is_closing:
            self._ensure(handle.kind)
        self.changed()

    # --- which hosts there are ------------------------------------------------------------------

    def _least_loaded(self, kind: Kind) -> HostHandle | None:
        best = None
        for handle in self._hosts:
            if handle.kind is kind and handle.takes_more and (best is None or handle.load < best.load):
                best = handle
        return best

    def _ensure(self, kind: Kind, *, waiting: int = 0) -> None:
        """Start the hosts of this kind that are missing; those for what runs alone as they are needed."""
        usable = sum(handle.kind is kind and handle.is_usable for handle in self._hosts)
        missing = {Kind.SHARED: self._count, Kind.PLAIN: 1, Kind.ALONE: ALONE_HOSTS}[kind] - usable
        if kind is Kind.ALONE:
            missing = min(missing, waiting)
        for _ in range(missing - self._starting[kind]):
            self._starting[kind] += 1
            self._spawn(self._bring_up(kind))

    async def _bring_up(self, kind: Kind) -> None:
        """Start a host, again and again while the bot cannot be used."""
        try:
            handle, reloaded = await self._started(kind)
            self.fault = None
            self.has_lines = self.has_lines or handle.has_lines
        finally:
            self._starting[kind] -= 1
        self.changed()
        if reloaded is not self._reloaded and handle.is_usable:
            self._succeed(handle, _RELOADED)  # it may have imported the bot just before that changed

    async def _started(self, kind: Kind) -> tuple[HostHandle, asyncio.Event]:
        """Return a host that is ready, and the reload before which it was started."""
        failures = 0
        while True:
            handle, reloaded = self._launch(kind), self._reloaded
            try:
                await asyncio.shield(handle.ready)
            except BotUnusable as exc:
                self.fault = f"no host can be started: {exc}"
                pause_s = _START_AGAIN_S[min(failures, len(_START_AGAIN_S) - 1)]
                log.error("host cannot start", error=str(exc), again_in_s=pause_s)
                failures += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await reloaded.wait()
            else:
                return handle, reloaded

    async def _settle_in(self, handle: HostHandle) -> None:
        """Wait for one of the first hosts, and start another where it does not become ready."""
        try:
            await asyncio.shield(handle.ready)
        except BotUnusable as exc:
            self.fault = f"no host can be started: {exc}"
            log.error("host cannot start", error=str(exc), again_in_s=0)
        self._starting[handle.kind] -= 1
        self._ensure(handle.kind)
        self.changed()

    def _launch(self, kind: Kind) -> HostHandle:
        handle, body = self._start(kind)
        self._hosts[handle] = body
        self._spawn(self._starts.watch(handle, body))
        return handle

    def _set_fault(self, fault: str | None) -> None:
        self.fault = fault

    def _retire(self, handle: HostHandle, reason: str) -> None:
        """Give a host nothing new, and start the next one."""
        if not handle.is_retiring:
            handle.is_retiring = True
            self._replaced(reason)
            self._ensure(handle.kind)

    def _succeed(self, handle: HostHandle, reason: str) -> None:
        """Give a host nothing new from when its successor is ready."""
        handle.has_successor = True
        self._starting[handle.kind] += 1
        self._spawn(self._hand_over(handle, reason))

    async def _hand_over(self, handle: HostHandle, reason: str) -> None:
        await self._bring_up(handle.kind)
        handle.is_retiring = True
        self._replaced(reason)

    # --- hung hosts -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._looks += 1
            for handle, body in self.hosts:
                if handle.is_ready and not handle.is_gone and handle.killed_for is None:
                    self._look_at(handle, body)

    def _look_at(self, handle: HostHandle, body: Body) -> None:
        now = asyncio.get_running_loop().time()
        if not handle.is_retiring and not handle.has_successor:
            self._look_at_limits(handle, body)
        if handle.running:
            if handle.pinged_at is None:
                with contextlib.suppress(HostGone):
                    handle.ping()
            elif now - handle.pinged_at > UNRESPONSIVE_S:
                self._look_at_blocked(handle, body, now)
                return
            overdue = {run for run, each in handle.running.items() if each.due <= now}
            if overdue:
                self._retire_hung(handle, overdue)
                if overdue == handle.running.keys():
                    self._kill(handle, body, overdue)
            return
        if handle.reserved:
            return
        if handle.kind is Kind.ALONE and now - handle.idle_since > IDLE_S:
            handle.is_retiring = True
        if handle.is_retiring:
            with contextlib.suppress(HostGone):
                handle.stop()

    def _retire_hung(self, handle: HostHandle, overdue: set[int]) -> None:
        if not handle.is_retiring and len(handle.running) > len(overdue):
            log.warning(
                "host hangs: a handler does not end",
                handlers=_counted(handle.running[run] for run in overdue),
                next="another host takes its place; it is killed when the others in it have ended",
                others=len(handle.running) - len(overdue),
            )
        self._retire(handle, "hung")

    def _look_at_limits(self, handle: HostHandle, body: Body) -> None:
        if self._max_attempts and handle.attempts >= self._max_attempts:
            self._succeed(handle, "attempts")
        if not self._max_memory_bytes or self._looks % _MEMORY_EVERY:
            return
        memory = body.memory_bytes()
        if memory is not None and memory > self._max_memory_bytes:
            log.warning(
                "host exceeds its memory; replaced", memory_bytes=memory, limit=self._max_memory_bytes
            )
            self._succeed(handle, "memory")

    def _look_at_blocked(self, handle: HostHandle, body: Body, now: float) -> None:
        """Kill a host whose loop does not get round, once the attempt that holds it is overdue.

        Where it cannot be told which one that is, all in it run again alone.
        """
        executing = body.executing()
        if executing in handle.running:
            if handle.running[executing].due <= now:
                self._kill(handle, body, {executing})
            return
        overdue = {run for run, each in handle.running.items() if each.due <= now}
        if overdue and (len(handle.running) == 1 or (handle.kind is Kind.PLAIN and len(overdue) == 1)):
            self._kill(handle, body, overdue)
        elif overdue:
            self._kill(handle, body, set())

    def _kill(self, handle: HostHandle, body: Body, overdue: Iterable[int]) -> None:
        runs = set(overdue)
        names = _counted(each for run, each in handle.running.items() if run in runs)
        log.error(
            "host killed: a handler does not end",
            handlers=names or "unknown: each that ran in it runs again, alone",
            interrupted=len(handle.running) - len(runs),
        )
        self._retire(handle, "hung")
        # what ran in it runs again elsewhere, so not before it is dead: ended() goes on
        handle.killed_for = runs
        body.kill()

    # --- waiting --------------------------------------------------------------------------------

    async def _change(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _counted(running: Iterable[Running]) -> dict[str, int]:
    """Return how many attempts of each handler there are, for a log line that stays short."""
    return dict(Counter(each.handler for each in running).most_common())
