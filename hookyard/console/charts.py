"""Charts as SVG. Rule: pure. Colours come from the style sheet, and each has its numbers as text as well."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 720
_HEIGHT: Final = 120
_GAP: Final = 1.5


class Series(NamedTuple):
    """One stack of a bar chart: its name, its CSS class, a value for each bar."""

    name: str
    style: str
    values: Sequence[int]


def bars(label: str, starts: Sequence[str], series: Sequence[Series]) -> str:
    """Return a chart of stacked bars; *starts* names each bar for whoever points at it."""
    totals = [sum(values) for values in zip(*(one.values for one in series), strict=True)]
    top = nice_top(max(totals, default=0))
    step = _WIDTH / max(1, len(starts))
    drawn = [_grid(top)]
    for place, start in enumerate(starts):
        told = (
            ", ".join(f"{one.values[place]:,} {one.name}" for one in series if one.values[place]) or "nothing"
        )
        y = float(_HEIGHT)
        rects = [f'<rect class="hit" x="{place * step:.1f}" y="0" width="{step:.1f}" height="{_HEIGHT}"/>']
        for one in series:
            height = one.values[place] / top * _HEIGHT
            y -= height
            if height:
                rects.append(
                    f'<rect class="{one.style}" x="{place * step + _GAP / 2:.1f}" y="{y:.1f}" '
                    f'width="{max(0.5, step - _GAP):.1f}" height="{max(0.8, height):.1f}"/>'
                )
        drawn.append(f"<g><title>{escape(start)}: {escape(told)}</title>{''.join(rects)}</g>")
    summary = ", ".join(f"{sum(one.values):,} {one.name}" for one in series)
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}: {escape(summary)}">{"".join(drawn)}</svg>'
    )


def spark(values: Sequence[int], label: str) -> str:
    """Return a small chart of bars for a row of a table."""
    top, step = max(1, *values), 4
    rects = "".join(
        f'<rect x="{place * step}" y="{18 - max(1.0, value / top * 18):.1f}" width="3" '
        f'height="{max(1.0, value / top * 18):.1f}" class="{"failed" if value else "none"}"/>'
        for place, value in enumerate(values)
    )
    width = len(values) * step
    return (
        f'<svg class="spark" width="{width}" height="18" viewBox="0 0 {width} 18" role="img" '
        f'aria-label="{escape(label)}">{rects}</svg>'
    )


def nice_top(most: int) -> int:
    """Return a round number that is not below *most*."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= most:
                return factor * power
        power *= 10


def _grid(top: int) -> str:
    del top  # the page writes the numbers beside the chart, since text in it would be stretched
    lines = "".join(
        f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}"/>'
        for y in (0.5, _HEIGHT / 2, _HEIGHT - 0.5)
    )
    return f"<g>{lines}</g>"
