"""The delivery whose handler is running, and what that handler enqueues."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """Work that a handler wants done once it has succeeded; *body* is JSON. Awaiting it does nothing more."""

    event: str
    body: bytes
    delay_s: float
    once: str | None

    def __await__(self) -> Generator[Any, None, None]:
        """Return at once."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class CurrentDelivery:
    """The delivery whose handler is running, as far as a handler has business with it.

    ``attempt`` counts from 1 within a round; ``received_ms`` is Unix time in milliseconds;
    ``event_uuid`` is GitLab's ``X-Gitlab-Event-UUID`` (not unique per delivery); ``parent`` is the delivery
    whose handler enqueued this one, ``source`` the GitLab that it is from; ``redacted`` says that it was
    fetched from GitLab's log, where e-mails are blacked out; ``log`` is a structlog logger that already
    carries the delivery's id, attempt and handler.
    """

    id: str
    attempt: int
    handler: str
    received_ms: int
    event_uuid: str | None = None
    parent: str | None = None
    source: str = "default"
    redacted: bool = False
    log: Any = field(default=None, compare=False, repr=False)

    @property
    def enqueued(self) -> list[Enqueued]:
        """What the handler has enqueued so far."""
        found: list[Enqueued] = self.__dict__.setdefault("_enqueued", [])
        return found


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
