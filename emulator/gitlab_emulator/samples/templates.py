"""Bodies that a hook's custom template makes: nothing in them tells their kind, only the header does.

"Custom webhook template" in https://docs.gitlab.com/user/project/integrations/webhooks/ .
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene


def message(scene: Scene) -> Json:
    """A custom template made of the opened issue's fields: no object_kind, no project."""
    return {
        "text": f"{scene.reporter.name} opened: {scene.issue.title}",
        "link": issues.attributes(scene, scene.issue)["url"],
    }
