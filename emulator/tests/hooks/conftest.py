"""The hooks of a seeded emulator, without its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.clock import Clock
from gitlab_emulator.hooks.hooks import Hooks
from gitlab_emulator.seed import seed
from hooks.yard import NOW, Yard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gitlab_emulator.state import State


@pytest.fixture
def state() -> State:
    return seed()


@pytest.fixture
def clock() -> Clock:
    """Stands still until it is moved."""
    return Clock(lambda: NOW)


@pytest.fixture
async def yard(state: State, clock: Clock) -> AsyncIterator[Yard]:
    hooks = Hooks(state, clock=clock)
    yield Yard(state, hooks, clock)
    await hooks.aclose()
