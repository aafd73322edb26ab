"""A sample event: its name and summary, and the function that builds its body.

Each module of this package has one table of samples for each header; `catalogue` joins them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlab_emulator.samples.scene import Json, Scene

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A kind of event. `event` is its `X-Gitlab-Event`; `build` makes its body from a scene.

    `trigger` is the switch of the hooks that want it, as the API names it without `_events`
    (`merge_requests`); empty for what no switch turns on. `catalogue` sets both.
    """

    name: str
    summary: str
    build: Callable[[Scene], Json]
    event: str = ""
    trigger: str = ""


def sample(
    name: str,
    summary: str,
    build: Callable[Concatenate[Scene, Arguments], Json],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Sample:
    """Return the row of a table: a sample whose body is `build` of a scene and of these arguments."""
    return Sample(name=name, summary=summary, build=lambda scene: build(scene, *args, **kwargs))
