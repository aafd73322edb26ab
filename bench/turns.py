"""Measures contenders in turn, several rounds, each round in another order; medians even out the noise."""

from __future__ import annotations

import statistics
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

progress = Console(stderr=True, highlight=False)


@dataclass(kw_only=True)
class Samples:
    """What a contender came to in each round, in ``unit``; ``error`` says why there is nothing."""

    unit: str
    values: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def median(self) -> float | None:
        """The middle of all rounds."""
        return statistics.median(self.values) if self.values else None


def in_turn(
    what: str, unit: str, contenders: Mapping[str, Callable[[], float]], *, rounds: int
) -> dict[str, Samples]:
    """Call each of *contenders* once a round; one that fails is left out of the rounds that follow.

    :param what: what is measured, for those who wait.
    """
    samples = {name: Samples(unit=unit) for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        start = number % len(names)
        for name in (*names[start:], *names[:start]):
            mine = samples[name]
            if mine.error:
                continue
            try:
                value = contenders[name]()
            except Exception as exc:  # noqa: BLE001 - one contender's failure must not end the run
                mine.error = _words(exc)
                progress.print(f"  [red]{what}: {name} failed:[/] {mine.error}", markup=True)
            else:
                mine.values.append(value)
                progress.print(f"  {what}, round {number + 1}: {name} [bold]{value:,.4g}[/] {unit}")
    return samples


def _words(exc: BaseException) -> str:
    notes = "; ".join(getattr(exc, "__notes__", ()))
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__}: {exc} ({where.name}) {notes}".strip().replace("[", "(")
