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
from typing import TYPE_CHECKING, Any, TypeVar

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
    """How one handler is run and retried; ``None`` stands for the worker's own setting."""

    timeout_s: float | None = None
    max_attempts: int | None = None
    backoff_s: float | None = None


_NO_POLICY = Policy()


def policy(
    *, timeout: float | None = None, max_attempts: int | None = None, backoff: float | None = None
) -> Callable[[AnyHandler], AnyHandler]:
    """Say how a handler is run; the handler itself stays the same object.

    :param timeout: seconds that one run may take (``HOOKYARD_HANDLER_TIMEOUT_S`` otherwise).
    :param max_attempts: how often it is run before it is given up (``HOOKYARD_MAX_ATTEMPTS`` otherwise).
    :param backoff: seconds of the first backoff, times 3 each try (``HOOKYARD_BACKOFF_S`` otherwise).
    :raises ValueError: for a timeout or backoff that is not positive, or fewer than 1 run.
    """
    if timeout is not None and not timeout > 0:
        message = f"policy(timeout={timeout!r}): seconds, more than 0"
        raise ValueError(message)
    if max_attempts is not None and max_attempts < 1:
        message = f"policy(max_attempts={max_attempts!r}): at least 1"
        raise ValueError(message)
    if backoff is not None and not backoff > 0:
        message = f"policy(backoff={backoff!r}): seconds, more than 0"
        raise ValueError(message)
    chosen = Policy(timeout_s=timeout, max_attempts=max_attempts, backoff_s=backoff)

    def mark(handler: AnyHandler) -> AnyHandler:
        setattr(handler, _POLICY_ATTRIBUTE, chosen)
        return handler

    return mark


def policy_of(handler: Callable[..., Any]) -> Policy:
    """Return the policy that :func:`policy` put on *handler*, or one that leaves all to the settings."""
    found = getattr(handler, _POLICY_ATTRIBUTE, None)
    return found if isinstance(found, Policy) else _NO_POLICY


@dataclass(frozen=True, kw_only=True)
class CurrentDelivery:
    """The delivery whose handler is running, as far as a handler has business with it.

    ``attempt`` counts from 1 within a round; ``received_ms`` is Unix time in milliseconds;
    ``event_uuid`` is GitLab's ``X-Gitlab-Event-UUID`` (not unique per delivery); ``log`` is a
    structlog logger that already carries the delivery's id, try and handler.
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
