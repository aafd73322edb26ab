"""What a delivery came to, as a test asks about it and as a failed test shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookyard.ledger.records import FINISHED, Attempt, Outcome, Record, State
from hookyard.ledger.times import span
from pytest_hookyard.story import story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlab_emulator.calls import RecordedCall

PUT_OFF: Final = frozenset({State.RETRYING, State.WAITING})
"""A delivery that runs again later."""

_UUID: Final = "X-Gitlab-Event-UUID"


class DeliveryError(AssertionError):
    """A delivery did not come to an end that could be looked at."""


class RefusedError(DeliveryError):
    """The ingress did not take the webhook; the text has its answer."""


class NotDoneError(DeliveryError):
    """A delivery was not done in time; the text tells its story so far."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Delivered:
    """A delivery and what became of it. ``record`` is the ledger's, with every try.

    ``calls`` are the API calls that its handlers made, oldest first.
    """

    record: Record
    calls: tuple[RecordedCall, ...]

    @property
    def id(self) -> str:
        """Its id, GitLab's ``webhook-id``."""
        return self.record.delivery.id

    @property
    def event(self) -> str:
        """What it is about: ``Issue Hook``."""
        return self.record.delivery.event

    @property
    def state(self) -> State:
        """``succeeded``, ``ignored`` or ``failed``; or ``retrying``, ``waiting``; compares to text."""
        return self.record.state

    @property
    def runs(self) -> int:
        """How often it was run."""
        return self.record.runs

    @property
    def enqueued(self) -> tuple[str, ...]:
        """The ids of the deliveries that its handlers enqueued."""
        return tuple(
            one for run in self.record.history for attempt in run.attempts for one in attempt.enqueued
        )

    @property
    def error(self) -> str | None:
        """What its handlers failed with, on one line."""
        return self.record.error

    @property
    def attempts(self) -> dict[str, Attempt]:
        """What each handler came to the last time it ran, by its name ``module:qualname``."""
        return {attempt.handler: attempt for run in self.record.history for attempt in run.attempts}

    def attempt_of(self, handler: str) -> Attempt:
        """One handler's: ``outcome``, ``number`` (how often it ran), ``error``, ``traceback``.

        :param handler: its whole name, or the function's alone.
        :raises LookupError: when none of that name ran, or several did.
        """
        found = [
            outcome
            for name, outcome in self.attempts.items()
            if handler in {name, name.rpartition(":")[2], name.rpartition(".")[2]}
        ]
        if len(found) != 1:
            raise LookupError(
                f"{len(found) or 'none'} of the handlers is {handler}: {', '.join(self.attempts)}"
            )
        return found[0]

    @property
    def story(self) -> str:
        """Every try of every handler, the last failure's traceback, and the API calls, as text."""
        return story(self.record, self.calls)

    def __repr__(self) -> str:
        """Return what an assertion that fails should show."""
        handlers = "; ".join(_in_short(attempt) for attempt in self.attempts.values())
        return f"<{self.event} {self.state}{f': {handlers}' if handlers else ''}>"


def is_done(record: Record, *, runs: int | None) -> bool:
    """Return whether a record says what was waited for: its end, or that it was tried so often."""
    return record.state in FINISHED or (runs is not None and record.state in PUT_OFF and record.runs >= runs)


def made_for(record: Record, calls: Sequence[RecordedCall], *, or_nameless: bool) -> tuple[RecordedCall, ...]:
    """Return the calls that the handlers of a delivery made.

    The client that handlers get says for which event it calls, others do not.

    :param or_nameless: whether calls that do not say it count as well.
    """
    wanted = {record.delivery.event_uuid, *([None] if or_nameless else [])}
    return tuple(call for call in calls if call.headers.get(_UUID) in wanted)


def why_not_done(record: Record, calls: Sequence[RecordedCall], *, waited_s: float, now_ms: int) -> str:
    """Return what to tell a test that waited in vain."""
    waits = record.due_ms is not None and record.state in PUT_OFF
    wait_ms = record.due_ms - now_ms if record.due_ms is not None and waits else 0
    text = f"not done after {span(waited_s * 1000)}"
    if wait_ms > 0:
        text += (
            f", and not run again for {span(wait_ms)} (deliver(…, runs={record.runs}) returns before that)"
        )
    return f"{text}\n\n{story(record, made_for(record, calls, or_nameless=False))}"


def _in_short(attempt: Attempt) -> str:
    text = f"{attempt.handler} {attempt.outcome}"
    if attempt.outcome is Outcome.SUCCEEDED:
        return text
    return f"{text} (attempt {attempt.number}): {attempt.error}"
