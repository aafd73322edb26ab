"""The listing of `send --list`: samples grouped by header, or as JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from gitlab_emulator.samples.catalogue import SAMPLES, by_event

if TYPE_CHECKING:
    from gitlab_emulator.samples.sample import Sample

NAME_COLUMNS = 30
MIN_TEXT_COLUMNS = 30


def listing(columns: int | None) -> str:
    """All samples under their headers, each with its summary, at most `columns` wide.

    None: one line for each sample, however long. A name that is longer than its column has its text on
    the next line.
    """
    return "\n\n".join(
        "\n".join([event, *(line for sample in samples for line in _entry(sample, columns))])
        for event, samples in by_event().items()
    )


def listing_as_json() -> str:
    """The same for programs."""
    rows = [{"name": n, "event": one.event, "summary": one.summary} for n, one in SAMPLES.items()]
    return json.dumps(rows)


def _entry(sample: Sample, columns: int | None) -> list[str]:
    name, text = sample.name, sample.summary
    if columns is None:
        return [f"  {name:<{NAME_COLUMNS}}  {text}"]
    indent = " " * (2 + NAME_COLUMNS + 2)
    wrapped = textwrap.wrap(text, max(MIN_TEXT_COLUMNS, columns - len(indent)))
    if len(name) > NAME_COLUMNS:
        return [f"  {name}", *(indent + line for line in wrapped)]
    first, *others = wrapped
    return [f"  {name:<{NAME_COLUMNS}}  {first}", *(indent + line for line in others)]
