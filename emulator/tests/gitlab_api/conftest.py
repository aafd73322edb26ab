"""What the hooks are told, in place of sending it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gitlab_emulator.activity import Activity
    from starlette.applications import Starlette


@dataclass
class Heard:
    """Everything that was told to the hooks, in order, and under which `X-Gitlab-Event-UUID`."""

    activities: list[Activity] = field(default_factory=list)
    event_uuids: list[str | None] = field(default_factory=list)

    def execute(
        self, activity: Activity, *, event_uuid: str | None = None, base_url: str | None = None
    ) -> None:
        """In place of `Hooks.execute`."""
        self.activities.append(activity)
        self.event_uuids.append(event_uuid)

    @property
    def last(self) -> Any:
        """The body of what happened last."""
        return self.activities[-1].body

    def brief(self) -> list[tuple[str, str]]:
        """Trigger and action of each, and forget them."""
        told = [(one.trigger, _action(one.body)) for one in self.activities]
        self.activities.clear()
        return told


def _action(body: dict[str, Any]) -> str:
    attributes = body.get("object_attributes", {})
    return str(
        attributes.get("action")
        or attributes.get("status")
        or body.get("build_status")
        or body.get("event_name")
    )


@pytest.fixture
def heard(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What the emulator's hooks are told."""
    found = Heard()
    monkeypatch.setattr(app.state.hooks, "execute", found.execute)
    return found
