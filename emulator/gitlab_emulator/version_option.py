"""The option `--gitlab-version` that `serve` and `send` share."""

from __future__ import annotations

from typing import Annotated

import typer

from gitlab_emulator.hooks.request import VERSIONS


def _known(name: str) -> str:
    if name not in VERSIONS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(VERSIONS)}.")
    return name


VersionName = Annotated[
    str,
    typer.Option(callback=_known, metavar="|".join(VERSIONS), help="The GitLab whose headers are sent."),
]
NEWEST_NAME = next(iter(VERSIONS))
