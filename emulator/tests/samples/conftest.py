"""The seeded world, as samples see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.samples.scene import scene_of
from gitlab_emulator.seed import seed

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.samples.scene import Scene


@pytest.fixture
def scene(now: datetime) -> Scene:
    """The seeded world, at the address of the test client."""
    return scene_of(seed(), base_url="http://gitlab.test/", now=now)
