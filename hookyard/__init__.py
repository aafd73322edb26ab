"""What a handler may ask of Hookyard: its policy, giving up, coming back later, the running delivery.

This is the only module of Hookyard's that a bot imports, and nothing in it needs the rest, so a
bot's own tests run without Redis:

    from hookyard import GiveUp, RetryAfter, policy, current_delivery

    @router.register("Issue Hook", action="open")
    @policy(timeout=10, max_attempts=3)
    async def greet(event, gl): ...

A handler that uses none of it is an ordinary gidgetlab handler and runs just as well.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "CurrentDelivery",
    "GiveUp",
    "Policy",
    "RetryAfter",
    "as_current",
    "current_delivery",
    "policy",
    "policy_of",
]

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


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How one handler is named, run and retried; ``None`` stands for the worker's own setting."""

    name: str | None = None
    timeout_s: float | None = None
    max_attempts: int | None = None
    backoff_s: float | None = None


_NO_POLICY = Policy()


def policy(
    *,
    name: str | None = None,
    timeout: float | None = None,
    max_attempts: int | None = None,
    backoff: float | None = None,
) -> Callable[[AnyHandler], AnyHandler]:
    """Say how a handler is run. Functions stay the same object; a bound method is wrapped in a partial.

    :param name: what its outcomes are recorded under, ``module:qualname`` otherwise. Outcomes stay with the
        name when the function is renamed, and handlers made by one factory can be told apart.
    :param timeout: seconds that one attempt may take (``HOOKYARD_HANDLER_TIMEOUT_S`` otherwise).
    :param max_attempts: attempts before it is given up (``HOOKYARD_MAX_ATTEMPTS`` otherwise).
    :param backoff: seconds of the first backoff, times 3 each attempt (``HOOKYARD_BACKOFF_S`` otherwise).
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
    chosen = Policy(name=name, timeout_s=timeout, max_attempts=max_attempts, backoff_s=backoff)

    def mark(handler: AnyHandler) -> AnyHandler:
        marked: Any = handler
        try:
            setattr(marked, _POLICY_ATTRIBUTE, chosen)
        except AttributeError:  # a bound method, a built-in function
            marked = partial(marked)
            setattr(marked, _POLICY_ATTRIBUTE, chosen)
        return cast("AnyHandler", marked)

    return mark


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
