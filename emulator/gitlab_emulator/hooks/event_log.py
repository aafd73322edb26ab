"""The log of deliveries: what GitLab lists as a hook's events, and can send again.

Kept in the state, newest last; listed for seven days. Bounded by number and by bytes: the oldest of
all go first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.hooks.model import Hook, HookEvent
    from gitlab_emulator.state import State

MAX_EVENTS = 2_000
MAX_BYTES = 32 * 1024 * 1024
LISTED_FOR = timedelta(days=7)


class EventLog:
    """The events in a state; nothing else may add to them."""

    def __init__(self, state: State) -> None:
        self._last_ids = state.last_ids
        self._events = state.hook_events
        self._bytes = sum(event.request_bytes for event in self._events.values())

    def next_id(self) -> int:
        """The number of the next event."""
        self._last_ids["hook_event"] = self._last_ids.get("hook_event", 0) + 1
        return self._last_ids["hook_event"]

    def add(self, event: HookEvent) -> None:
        """Keep one more."""
        self._events[event.id] = event
        self._bytes += event.request_bytes
        while len(self._events) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._events) > 1):
            self._drop(next(iter(self._events)))

    def of(self, hook: Hook, now: datetime) -> list[HookEvent]:
        """The hook's events of the last seven days, newest first."""
        since = now - LISTED_FOR
        return [
            event
            for event in reversed(self._events.values())
            if event.hook_id == hook.id and event.created_at > since
        ]

    def find(self, hook: Hook, event_id: int) -> HookEvent | None:
        """One of the hook's events, however old."""
        event = self._events.get(event_id)
        return event if event is not None and event.hook_id == hook.id else None

    def forget(self, hook: Hook) -> None:
        """Drop all of a hook's events."""
        for event_id in [event.id for event in self._events.values() if event.hook_id == hook.id]:
            self._drop(event_id)

    def _drop(self, event_id: int) -> None:
        self._bytes -= self._events.pop(event_id).request_bytes
