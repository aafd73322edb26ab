"""A gidgetlab router with resources, tasks and schedules."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gidgetlab.routing import Router

from hookyard.bot.current import Enqueued, current_delivery
from hookyard.bot.policy import handler_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from hookyard.bot.policy import AnyHandler

    Lifespan = Callable[[], AbstractAsyncContextManager[Mapping[str, Any] | None]]

_NAME_LIMIT = 200
_DATA_LIMIT = 256 * 1024


class Bot(Router):
    """A gidgetlab router with resources, tasks and schedules; it works wherever a ``Router`` does.

    A lifespan is entered once in each host process, before any handler runs, and left when the host ends.
    What it yields is given to each handler that names it:

        @asynccontextmanager
        async def lifespan():
            async with asyncpg.create_pool(DSN) as pool:
                yield {"pool": pool}

        bot = Bot(lifespan=lifespan)

        @bot.register("Issue Hook")
        async def refresh(event, gl, pool): ...

    A handler with ``**kwargs`` is given all of it. In a unit test, call the handler with what it names.

    :param routers: routers and bots to include, see :meth:`include`.
    :param lifespan: called without arguments, returns an asynchronous context manager that yields a mapping.
    """

    def __init__(self, *routers: Router, lifespan: Lifespan | None = None) -> None:
        super().__init__()
        self.lifespans: list[Lifespan] = [] if lifespan is None else [lifespan]
        self.schedules: list[Schedule] = []
        self.include(*routers)

    def register(self, event_type: str, **object_attribute: Any) -> Callable[[AnyHandler], AnyHandler]:
        """Register a handler for an event, as gidgetlab's routers do; it may also be a plain function.

        :param event_type: GitLab's ``X-Gitlab-Event``.
        :param object_attribute: one of the event's ``object_attributes``, and the value it must have.
        """

        def add(handler: AnyHandler) -> AnyHandler:
            self.add(handler, event_type, **object_attribute)
            return handler

        return add

    def include(self, *routers: Router) -> None:
        """Register the handlers of other routers here too; of bots, take lifespans and schedules over."""
        for router in routers:
            _Registering(router, self.add)
            if isinstance(router, Bot):
                self.lifespans += router.lifespans
                self.schedules += router.schedules

    def task(self, handler: Callable[..., Any]) -> Task:
        """Make a handler one that other handlers enqueue: ``await announce.enqueue({…})``.

        It is called as any handler, ``event.data`` being what was enqueued. A policy goes below this.
        """
        task = Task(handler)
        self.add(handler, task.event)
        return task

    def schedule(
        self, cron: str, *, timezone: str = "UTC", catch_up: bool = False
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Run a handler by the clock, once a tick in the whole fleet: ``@bot.schedule("0 6 * * 1-5")``.

        ``event.data`` has ``schedule``, its name, and ``tick``, the time that it was due.

        :param cron: minute, hour, day, month, day of the week; or six fields, seconds first.
        :param timezone: such as ``Europe/Stockholm``.
        :param catch_up: also run for the ticks that passed while no worker ran; else those are left out.
        """

        def register(handler: AnyHandler) -> AnyHandler:
            name = handler_name(handler)
            schedule = Schedule(name=name, cron=cron, timezone=timezone, catch_up=catch_up)
            self.schedules.append(schedule)
            self.add(handler, schedule.event)
            return handler

        return register

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[dict[str, Any]]:
        """Enter the lifespans, in the order in which they came; yield all that they yield.

        :raises ValueError: for one that yields no mapping, and for a name that two yield.
        """
        async with AsyncExitStack() as stack:
            resources: dict[str, Any] = {}
            for lifespan in self.lifespans:
                found = await stack.enter_async_context(lifespan())
                given = dict(found) if found is not None else {}
                if twice := sorted(resources.keys() & given.keys()):
                    message = f"two lifespans yield {', '.join(twice)}"
                    raise ValueError(message)
                resources |= given
            yield resources


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a handler is run by the clock; see :meth:`Bot.schedule`."""

    name: str
    cron: str
    timezone: str
    catch_up: bool

    @property
    def event(self) -> str:
        """The event that its handler is registered for."""
        return f"schedule:{self.name}"


class Task:
    """A handler that other handlers enqueue; called, it is the handler itself. See :meth:`Bot.task`."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.handler = handler
        self.event = f"task:{handler_name(handler)}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the handler."""
        return self.handler(*args, **kwargs)

    def enqueue(self, data: Any = None, *, delay: float = 0.0, once: str | None = None) -> Enqueued:
        """Have the task run when the handler that runs here has succeeded, as a delivery of its own.

        It is stored in the same step as that success: an attempt that fails enqueues nothing, and one that is
        repeated does not enqueue twice.

        :param data: what JSON can hold, up to 256 KiB; the task's ``event.data``.
        :param delay: seconds from then on.
        :param once: enqueue it only if nothing of this name was before, as far back as deliveries are kept.
        :raises LookupError: outside a handler.
        :raises TypeError: for *data* that JSON cannot hold.
        :raises ValueError: for too much of it, a name longer than 200 characters or a negative delay.
        """
        body = json.dumps(data, allow_nan=False).encode()
        if len(body) > _DATA_LIMIT or len(once or "") > _NAME_LIMIT or not 0 <= delay < float("inf"):
            message = f"enqueue() takes {_DATA_LIMIT:,} bytes, a name of {_NAME_LIMIT} and a delay from 0 up"
            raise ValueError(message)
        wanted = Enqueued(event=self.event, body=body, delay_s=float(delay), once=once)
        current_delivery().enqueued.append(wanted)
        return wanted


class _Registering(Router):
    """Hands each registration of a router on: gidgetlab's constructor adds all of them."""

    def __init__(self, router: Router, add: Callable[..., None]) -> None:
        self._add = add
        super().__init__(router)

    def add(self, func: Callable[..., Any], event_type: str, **object_attribute: Any) -> None:
        """Hand one on."""
        self._add(func, event_type, **object_attribute)
