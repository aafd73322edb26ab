"""The hooks of a seeded emulator, and what tests do with them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitlab_emulator.activity import Activity
from gitlab_emulator.hooks.registration import add_hook

if TYPE_CHECKING:
    from gitlab_emulator.clock import Clock
    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.state import State

NOW = datetime(2026, 11, 20, 12, 30, 15, tzinfo=UTC)
INSTANCE = "http://gitlab.test"
TIMEOUT_S = 10


@dataclass
class Yard:
    """One of them."""

    state: State
    hooks: Hooks
    clock: Clock

    def add(self, url: str, **attributes: Any) -> Hook:
        """A hook of project 1 (unless said otherwise) for everything."""
        place = {} if attributes.keys() & {"project_id", "group_id"} else {"project_id": 1}
        if attributes.pop("system", False):
            place = {}
        settings = {"switches": ["all"], **place, **attributes}
        return add_hook(self.state, url=url, now=self.clock(), **settings)

    async def execute(self, trigger: str = "issues", *, body: Any = None, **more: Any) -> None:
        """Something happens in project 1, and everything is sent."""
        activity = Activity(
            trigger=trigger, body=body or {"object_kind": "issue"}, project_id=1, ref=more.pop("ref", None)
        )
        self.hooks.execute(activity, base_url=INSTANCE, **more)
        async with asyncio.timeout(TIMEOUT_S):
            await self.hooks.settled()

    def forward(self, **step: float) -> None:
        """Let time pass."""
        self.clock.set(forward_s=timedelta(**step).total_seconds())
