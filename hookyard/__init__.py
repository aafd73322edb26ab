"""What a bot may ask of Hookyard: resources, policies, giving up, coming back later, the running delivery.

This is the only module of Hookyard's that a bot imports, and nothing in it needs the rest, so a
bot's own tests run without Redis:

    from hookyard import Bot, GiveUp, RetryAfter, policy, current_delivery

    bot = Bot()

    @bot.register("Issue Hook", action="open")
    @policy(timeout=10, max_attempts=3)
    async def greet(event, gl): ...

A bot that uses none of it, with a plain gidgetlab ``Router``, runs just as well.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gidgetlab.routing import Router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "Bot",
    "CurrentDelivery",
    "GiveUp",
    "Policy",
    "RetryAfter",
    "as_current",
    "current_delivery",
    "policy",
    "policy_of",
]

if TYPE_CHECKING:
    Lifespan = Callable[[], AbstractAsyncContextManager[Mapping[str, Any] | None]]
    ExceptionClasses = type[BaseException] | tuple[type[BaseException], ...]

AnyHandler = TypeVar("AnyHandler", bound="Callable[..., Any]")

_POLICY_ATTRIBUTE = "__hookyard_policy__"
_NAME_LIMIT = 200


class GiveUp(Exception):
    """Raised by a handler that knows no retry can help: it is not run again, the delivery ends ``failed``.

    The text is kept and shown to operators.
    """


class RetryAfter(Exception):
    """Raised by a handler that wants its next attempt after *seconds*, whatever the backoff would be.

    It counts as one of the handler's attempts.

    :param seconds: at least 0; fractions are allowed.
    :raises ValueError: when *seconds* is negative or not finite.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        if not 0 <= seconds < float("inf"):
            message = f"RetryAfter takes a number of seconds from 0 up, not {seconds!r}"
            raise ValueError(message)
        self.seconds = float(seconds)
        super().__init__(reason or f"asked to be run again after {seconds:g} s")


class Bot(Router):
    """A gidgetlab router whose handlers are given resources; it works wherever a ``Router`` does.

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
        self.include(*routers)

    def include(self, *routers: Router) -> None:
        """Register the handlers of other routers here too; of bots, enter their lifespans as well."""
        for router in routers:
            _Registering(router, self.add)
            if isinstance(router, Bot):
                self.lifespans += router.lifespans

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


class _Registering(Router):
    """Hands each registration of a router on: gidgetlab's constructor adds all of them."""

    def __init__(self, router: Router, add: Callable[..., None]) -> None:
        self._add = add
        super().__init__(router)

    def add(self, func: Callable[..., Any], event_type: str, **object_attribute: Any) -> None:
        """Hand one on."""
        self._add(func, event_type, **object_attribute)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How one handler is named, run and retried; ``None`` stands for the worker's own setting."""

    name: str | None = None
    timeout_s: float | None = None
    max_attempts: int | None = None
    backoff_s: float | None = None
    retry_on: tuple[type[BaseException], ...] | None = None
    give_up_on: tuple[type[BaseException], ...] = ()


_NO_POLICY = Policy()


def policy(
    *,
    name: str | None = None,
    timeout: float | None = None,
    max_attempts: int | None = None,
    backoff: float | None = None,
    retry_on: ExceptionClasses | None = None,
    give_up_on: ExceptionClasses = (),
) -> Callable[[AnyHandler], AnyHandler]:
    """Say how a handler is run. Functions stay the same object; a bound method is wrapped in a partial.

    :param name: what its outcomes are recorded under, ``module:qualname`` otherwise. Outcomes stay with the
        name when the function is renamed, and handlers made by one factory can be told apart.
    :param timeout: seconds that one attempt may take (``HOOKYARD_HANDLER_TIMEOUT_S`` otherwise).
    :param max_attempts: attempts before it is given up (``HOOKYARD_MAX_ATTEMPTS`` otherwise).
    :param backoff: seconds of the first backoff, times 3 each attempt (``HOOKYARD_BACKOFF_S`` otherwise).
    :param retry_on: run again only after these exceptions (any otherwise); a time-out is a ``TimeoutError``.
    :param give_up_on: never run again after these.
    :raises TypeError: for what is no class of exceptions.
    :raises ValueError: for a timeout or backoff that is not positive, fewer than 1 attempt, or a name that
        is empty, longer than 200 characters or not printable.
    """
    if name is not None and not (0 < len(name) <= _NAME_LIMIT and name.isprintable()):
        message = f"policy(name={name!r}): 1 to {_NAME_LIMIT} printable characters"
        raise ValueError(message)
    if timeout is not None and not timeout > 0:
        message = f"policy(timeout={timeout!r}): seconds, more than 0"
        raise ValueError(message)
    if max_attempts is not None and max_attempts < 1:
        message = f"policy(max_attempts={max_attempts!r}): at least 1"
        raise ValueError(message)
    if backoff is not None and not backoff > 0:
        message = f"policy(backoff={backoff!r}): seconds, more than 0"
        raise ValueError(message)
    chosen = Policy(
        name=name,
        timeout_s=timeout,
        max_attempts=max_attempts,
        backoff_s=backoff,
        retry_on=None if retry_on is None else _classes("retry_on", retry_on),
        give_up_on=_classes("give_up_on", give_up_on),
    )

    def mark(handler: AnyHandler) -> AnyHandler:
        marked: Any = handler
        try:
            setattr(marked, _POLICY_ATTRIBUTE, chosen)
        except AttributeError:  # a bound method, a built-in function
            marked = partial(marked)
            setattr(marked, _POLICY_ATTRIBUTE, chosen)
        return cast("AnyHandler", marked)

    return mark


def _classes(word: str, given: ExceptionClasses) -> tuple[type[BaseException], ...]:
    classes: tuple[Any, ...] = given if isinstance(given, tuple) else (given,)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            message = f"policy({word}={given!r}): an exception class, or a tuple of them"
            raise TypeError(message)
    return classes


def policy_of(handler: Callable[..., Any]) -> Policy:
    """Return the policy that :func:`policy` put on *handler*, or one that leaves all to the settings.

    That of a partial or a bound method is its function's, where it has none itself.
    """
    found = getattr(handler, _POLICY_ATTRIBUTE, None)
    if isinstance(found, Policy):
        return found
    return policy_of(handler.func) if isinstance(handler, partial) else _NO_POLICY


@dataclass(frozen=True, kw_only=True)
class CurrentDelivery:
    """The delivery whose handler is running, as far as a handler has business with it.

    ``attempt`` counts from 1 within a round; ``received_ms`` is Unix time in milliseconds;
    ``event_uuid`` is GitLab's ``X-Gitlab-Event-UUID`` (not unique per delivery); ``log`` is a
    structlog logger that already carries the delivery's id, attempt and handler.
    """

    id: str
    attempt: int
    handler: str
    received_ms: int
    event_uuid: str | None = None
    log: Any = field(default=None, compare=False, repr=False)


_running: ContextVar[CurrentDelivery | None] = ContextVar("hookyard_current_delivery", default=None)


def current_delivery() -> CurrentDelivery:
    """Return the delivery that the calling handler runs for.

    Works in coroutines, the tasks that they start, and plain ``def`` handlers.

    :raises LookupError: outside a handler, e.g. in a bot's own unit test that did not set one.
    """
    found = _running.get()
    if found is None:
        message = (
            "no delivery is running here: current_delivery() works inside a handler that the worker runs"
        )
        raise LookupError(message)
    return found


@contextmanager
def as_current(delivery: CurrentDelivery) -> Iterator[None]:
    """Make *delivery* the running one inside the block: what the worker does, and a handler's test may do."""
    token = _running.set(delivery)
    try:
        yield
    finally:
        _running.reset(token)
