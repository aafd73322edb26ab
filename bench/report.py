"""What a run came to: rows that compare, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from bench.turns import Samples, progress

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One comparison.

    ``ratio`` is value by reference; ``target`` is what the ratio is held against (the value itself
    where there is no reference), ``None`` where the row only informs.
    """

    name: str
    value: float | None
    unit: str
    against: str = ""
    reference: float | None = None
    ratio: float | None = None
    target: str | None = None
    is_reached: bool | None = None
    note: str | None = None


def row(
    name: str,
    mine: Samples,
    *,
    against: str = "",
    other: Samples | float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Compare the medians of *mine* and *other*; the bound is for the ratio, or for the value alone."""
    reference = other.median if isinstance(other, Samples) else other
    error = mine.error or (other.error if isinstance(other, Samples) else None)
    value = mine.median
    is_alone = other is None
    ratio = value / reference if value is not None and reference else None
    held = value if is_alone else ratio
    reached = None
    if at_least is not None:
        reached = held is not None and held >= at_least
    if at_most is not None:
        reached = held is not None and held <= at_most
    sign, bound = ("≥", at_least) if at_least is not None else ("≤", at_most)
    return Row(
        name=name,
        value=value,
        unit=mine.unit,
        against=against,
        reference=reference,
        ratio=ratio,
        target=None if bound is None else f"{sign} {bound:g}",
        is_reached=reached,
        note=error,
    )


def table(title: str, rows: list[Row]) -> Table:
    """Return *rows* for a terminal."""
    found = Table(title=title, title_justify="left")
    for heading, side in (
        ("what", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("against", "left"),
        ("its value", "right"),
        ("ratio", "right"),
        ("to reach", "right"),
        ("", "left"),
    ):
        found.add_column(heading, justify="right" if side == "right" else "left")
    marks = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}
    above = ""
    for each in rows:
        if each.name != above and above:
            found.add_section()
        is_same, above = each.name == above, each.name
        found.add_row(
            "" if is_same else each.name,
            "" if is_same else _number(each.value) if each.value is not None else "[red]failed[/]",
            "" if is_same else each.unit,
            each.against,
            _number(each.reference),
            _number(each.ratio),
            each.target or "",
            marks[each.is_reached],
        )
    return found


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits that mean something


def write(path: Path, *, options: dict[str, Any], redis: str, results: dict[str, Any]) -> None:
    """Write all of a run as JSON; *results* holds rows and samples by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = os.getloadavg()[2]  # over 15 minutes: this run and whatever else there was
    machine = {
        "load_15_min": busy,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    content = {"machine": machine, "redis": redis, "options": options, "results": results}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=_plain) + "\n")
    progress.print(f"written: {path}")


def _plain(thing: object) -> Any:
    if isinstance(thing, (Row, Samples)):
        return asdict(thing)
    return str(thing)
