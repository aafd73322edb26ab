"""Feature Flag Hook: `object_attributes.active` is all that tells on from off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

FLAG_ID = 9301


def _event(scene: Scene, *, active: bool) -> Json:
    return {
        "object_kind": "feature_flag",
        "project": parts.project_with_old_names(scene),
        "user": parts.user(scene.maintainer),
        "user_url": f"{scene.base_url}/{scene.maintainer.username}",
        "object_attributes": {
            "id": FLAG_ID,
            "name": "read_float_twice",
            "description": "Two readings before the lamp goes on.",
            "active": active,
        },
    }


SAMPLES = [
    sample("feature-flag-on", "The maintainer turns a feature flag on.", _event, active=True),
    sample("feature-flag-off", "The maintainer turns a feature flag off.", _event, active=False),
]
