"""A host: rebuilds events, runs the bot's handlers, and reports to its supervisor.

It decides nothing about deliveries and knows no Redis. One runs in a process of its own, or, for tests
and stock arq, in the process at hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from hookyard import Bot, CurrentDelivery, policy_of
from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
from hookyard.gitlab.events import read_event
from hookyard.host.clock import boot_s
from hookyard.host.deadlines import Deadlines
from hookyard.host.failures import describe, status_of
from hookyard.host.invoke import Cell, Job
from hookyard.host.messages import (
    VERSION,
    Blocked,
    Called,
    Cancel,
    Close,
    Invoke,
    NotStarted,
    Open,
    Opened,
    Order,
    Ping,
    Pong,
    Ready,
    Stop,
)
from hookyard.host.registry import Registry
from hookyard.host.retry import Limits
from hookyard.ledger.records import one_line
from hookyard.telemetry import logs
from hookyard.telemetry.scrubber import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from gidgetlab.routing import Router
    from gidgetlab.sansio import Event

    from hookyard.host.link import Link
    from hookyard.settings.settings import Settings

log = logs.get_logger("worker")

_LIFESPAN_S: Final = 5.0
"""What the bot's lifespan may take to end."""

_UNAUTHORIZED: Final = 401
_CLOSE_S: Final = 1.0
"""A handler that is cancelled because its host stops may take this long."""


class NotUsable(Exception):
    """The bot cannot be used; ``may_pass`` says whether it is worth trying again."""

    def __init__(self, faults: tuple[str, ...], *, may_pass: bool = False) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
        self.may_pass = may_pass


@dataclass(slots=True)
class _Opened:
    """A delivery that this host was given."""

    order: Open
    event: Event
    places: tuple[int, ...]
    job: Job | None = None


class Host:
    """Runs the handlers of *router* as its supervisor orders over a link.

    :param cell: where it says which run has the loop; see ``invoke.Cell``.
    """

    def __init__(self, router: Router, settings: Settings, *, cell: Cell | None = None) -> None:
        self.registry = Registry(router)
        self._router = router
        self._lifespan = contextlib.AsyncExitStack()
        self.stopped = asyncio.Event()
        self._settings = settings
        self._by_source = settings.by_source
        self._cell: Cell = [0] if cell is None else cell
        self._runs: dict[int, _Opened] = {}
        self._client = open_client(settings)
        self._threads = ThreadPoolExecutor(max_workers=settings.slots, thread_name_prefix="handler")
        self._deadlines = Deadlines()
        self._tasks: set[asyncio.Task[None]] = set()
        self._simple = {
            place for place, info in enumerate(self.registry.infos) if not info.is_plain and info.gate is None
        }
        """Handlers that are started unasked: nothing limits them, and they take no thread."""

        self._limits = [self._limits_of(place) for place in range(len(self.registry.calls))]
        self._link: Link

    async def open(self) -> None:
        """Enter the bot's lifespan, where it has one.

        :raises NotUsable: when that fails, or does not yield what the handlers name.
        """
        if self.registry.skips_own:
            for source, settings in self._by_source.items():
                self.registry.own_ids[source] = await self._own_id(settings)
        if not isinstance(self._router, Bot):
            return
        try:
            resources = await self._lifespan.enter_async_context(self._router.lifespan())
        except Exception as exc:
            text = one_line(scrub(describe(exc)))
            raise NotUsable((f"the bot's lifespan failed: {text}",), may_pass=True) from exc
        if faults := self.registry.equip(resources):
            raise NotUsable(faults)

    async def _own_id(self, settings: Settings) -> int:
        """Return the id of the account whose access token this is."""
        gl = DeliveryGitLabAPI(self._client, settings, event_uuid=None, clock=time.time)
        try:
            return int((await gl.getitem("/user"))["id"])
        except Exception as exc:
            if (
                settings.access_token is None and status_of(exc) == _UNAUTHORIZED
            ):  # an emulator answers all the same
                asked = 'policy(own="skip") asks GitLab whose access token it is: set GL_ACCESS_TOKEN'
                raise NotUsable((asked,)) from exc
            text = one_line(scrub(describe(exc)))
            fault = f'policy(own="skip"): GitLab did not say whose access token it is: {text}'
            raise NotUsable((fault,), may_pass=True) from exc

    def wrap_transport(self, wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]) -> None:
        """Put something between the handlers' clients and GitLab."""
        self._client = open_client(self._settings, wrap=wrap)

    def connect(self, link: Link) -> None:
        """Report over *link* from now on, at first that the bot is ready."""
        self._link = link
        link.send(
            Ready(
                version=VERSION,
                handlers=self.registry.infos,
                schedules=self.registry.schedules,
                events=self.registry.events,
                warnings=tuple(self.registry.warnings()),
            )
        )

    def receive(self, order: Order) -> None:
        """Carry out an order."""
        if isinstance(order, Open):
            self._open(order)
        elif isinstance(order, Invoke):
            self._invoke(order)
        elif isinstance(order, Close):
            self._runs.pop(order.run, None)
        elif isinstance(order, Cancel):
            self._cancel(order)
        elif isinstance(order, Ping):
            self._link.send(Pong(number=order.number))
        elif isinstance(order, Stop):
            self.stopped.set()

    async def close(self) -> None:
        """Cancel what still runs and close the connections to GitLab; a thread is left to itself."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        try:
            async with asyncio.timeout(_LIFESPAN_S):
                await self._lifespan.aclose()
        except Exception as exc:  # noqa: BLE001 - as above; and it ends anyway
            log.warning("the bot's lifespan did not end well", error=type(exc).__name__)
        await self._client.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _open(self, order: Open) -> None:
        try:
            event = read_event(order.event, order.content_type, order.body)
            if order.source not in self._by_source:
                known = ", ".join(self._by_source)
                message = f"its source {order.source} is none of HOOKYARD_SOURCES ({known})"
                raise LookupError(message)
            places = self.registry.find(event, order.source)
            keys: tuple[tuple[str | None, str | None], ...] = ()
            if self.registry.is_keyed:
                keys = self._keys(order, event, places)
        except Exception as exc:  # noqa: BLE001 - the ingress could parse it; must not stop this host
            log.error("event cannot be rebuilt", delivery_id=order.delivery_id, error=type(exc).__name__)
            error = one_line(f"the event could not be rebuilt: {scrub(describe(exc))}")
            self._link.send(Opened(run=order.run, error=error))
            return
        opened = self._runs[order.run] = _Opened(order=order, event=event, places=places)
        start_by = order.start_by if places and places[0] in self._simple else None
        # said before anything of the bot's runs, which may be the end of this process
        self._link.send(Opened(run=order.run, handlers=places, started=start_by is not None, keys=keys))
        if start_by is not None:
            self._start(opened, places[0], attempt=1, start_by=start_by)

    def _keys(
        self, order: Open, event: Event, places: tuple[int, ...]
    ) -> tuple[tuple[str | None, str | None], ...]:
        self._cell[0] = order.run  # functions of the bot's follow, which may keep the loop
        try:
            return self.registry.event_keys(event, places, order.source)
        finally:
            self._cell[0] = 0

    def _invoke(self, order: Invoke) -> None:
        opened = self._runs[order.run]
        self._start(opened, opened.places[order.place], attempt=order.attempt, start_by=order.start_by)

    def _start(self, opened: _Opened, place: int, *, attempt: int, start_by: float) -> None:
        delivery = opened.order
        if boot_s() > start_by:
            self._link.send(NotStarted(run=delivery.run))
            return
        info = self.registry.infos[place]
        job = opened.job = Job(
            self.registry.calls[place],
            run=delivery.run,
            is_plain=info.is_plain,
            timeout_s=info.timeout_s or self._settings.handler_timeout_s,
            limits=self._limits[place],
            is_chained=info.gate is not None and info.gate.runs > 0,
            current=CurrentDelivery(
                id=delivery.delivery_id,
                attempt=attempt,
                handler=info.name,
                received_ms=delivery.received_ms,
                event_uuid=delivery.event_uuid,
                parent=delivery.parent,
                source=delivery.source,
                redacted=delivery.redacted,
                log=structlog.get_logger(
                    "worker", delivery_id=delivery.delivery_id, handler=info.name, attempt=attempt
                ),
            ),
        )
        task = job.task = asyncio.get_running_loop().create_task(self._run(opened, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, opened: _Opened, job: Job) -> None:
        gl = DeliveryGitLabAPI(
            self._client,
            self._by_source[opened.order.source],
            event_uuid=None if job.is_chained else opened.order.event_uuid,
            clock=time.time,
            metrics=self,
        )
        ended = await job.finish(
            opened.event,
            gl,
            threads=self._threads,
            deadlines=self._deadlines,
            cell=self._cell,
            blocked=self._blocked,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        opened.job = None
        self._link.send(ended)

    def _cancel(self, order: Cancel) -> None:
        opened = self._runs.get(order.run)
        if opened is not None and opened.job is not None:
            opened.job.cancel()

    def called(self, method: str, status: int | None, seconds: float, headers: Mapping[str, str]) -> None:
        """Report a REST call; what ``gitlab.metrics.GitLabMetrics`` has in the supervisor."""
        self._link.send(
            Called(
                method=method,
                status=status,
                seconds=seconds,
                limit=headers.get("ratelimit-limit", ""),
                remaining=headers.get("ratelimit-remaining", ""),
            )
        )

    def _blocked(self, run: int, handler: str, seconds: float) -> None:
        log.warning(
            "handler blocked the event loop",
            handler=handler,
            for_s=round(seconds, 2),
            hint="await instead of blocking, or write it as a plain def: those run in threads",
        )
        self._link.send(Blocked(run=run, handler=handler, seconds=seconds))

    def _limits_of(self, place: int) -> Limits:
        info, settings = self.registry.infos[place], self._settings
        policy = policy_of(self.registry.calls[place])
        return Limits(
            retry_on=policy.retry_on,
            give_up_on=policy.give_up_on,
            max_attempts=settings.max_attempts if info.max_attempts is None else info.max_attempts,
            backoff_s=settings.backoff_s if info.backoff_s is None else info.backoff_s,
            max_backoff_s=settings.max_backoff_s,
        )
