"""How processes count and time for Prometheus, cheaply enough for every request and every delivery.

prometheus-client writes the text that is scraped. Its own counters and histograms take a lock and look
labels up each time, which costs more than all else that is done for a request, so the numbers are ours:
one array per process, which sibling processes can be let look into (``ingress.siblings``). Units end the
names, as Prometheus wants it; docs/reference/metrics.md lists them all, and a test holds the two together.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence

    from prometheus_client.metrics_core import Metric

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Numbers:
    """The cells in which one process counts. One thread writes them, any may read.

    ``others`` gives those of its siblings, cell by cell the same.
    """

    def __init__(self) -> None:
        self.cells: MutableSequence[float] = array("d")
        self.others: Callable[[], Sequence[Sequence[float]]] = tuple

    def take(self, count: int) -> int:
        """Return the first of *count* new cells."""
        at = len(self.cells)
        self.cells.extend([0.0] * count)
        return at

    def totals(self) -> list[float]:
        """Return each cell, summed over this process and its siblings."""
        return [sum(each) for each in zip(list(self.cells), *self.others(), strict=False)]


class Count:
    """One number that goes up."""

    __slots__ = ("_at", "_numbers")

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._at = numbers.take(1)

    def add(self, amount: float = 1.0) -> None:
        """Count *amount* more."""
        self._numbers.cells[self._at] += amount

    def of(self, totals: Sequence[float]) -> float:
        """Return its total."""
        return totals[self._at]


class Durations:
    """One histogram of seconds.

    :param bounds: upper bounds of the buckets, rising.
    """

    __slots__ = ("_at", "_bounds", "_numbers", "_sum_at")

    def __init__(self, numbers: Numbers, bounds: tuple[float, ...]) -> None:
        self._numbers = numbers
        self._bounds = bounds
        self._at = numbers.take(len(bounds) + 2)
        self._sum_at = self._at + len(bounds) + 1

    def observe(self, seconds: float) -> None:
        """Count one."""
        cells = self._numbers.cells
        cells[self._at + bisect_left(self._bounds, seconds)] += 1
        cells[self._sum_at] += seconds

    def of(self, totals: Sequence[float]) -> tuple[list[tuple[str, float]], float]:
        """Return the buckets as Prometheus wants them, each with all below it, and the sum."""
        buckets, so_far = [], 0.0
        for place, bound in enumerate((*map(str, map(float, self._bounds)), "+Inf")):
            so_far += totals[self._at + place]
            buckets.append((bound, so_far))
        return buckets, totals[self._sum_at]


class Counts:
    """A counter with labels; ``of`` gives the one for their values, to be kept by whoever counts often."""

    def __init__(self, numbers: Numbers, name: str, documentation: str, labels: tuple[str, ...]) -> None:
        self._numbers = numbers
        self._name, self._documentation, self._labels = name, documentation, labels
        self._children: dict[tuple[str, ...], Count] = {}

    def of(self, *values: str) -> Count:
        """Return the one for these values of the labels, which is shown from now on, be it at 0."""
        found = self._children.get(values)
        if found is None:
            found = self._children[values] = Count(self._numbers)
        return found

    def family(self, totals: Sequence[float]) -> Metric:
        """Return what a scrape shows."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, child in list(self._children.items()):
            family.add_metric(values, child.of(totals))
        return family


class DurationsBy:
    """A histogram with labels; ``of`` as with :class:`Counts`."""

    def __init__(
        self,
        numbers: Numbers,
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        bounds: tuple[float, ...],
    ) -> None:
        self._numbers = numbers
        self._name, self._documentation, self._labels, self._bounds = name, documentation, labels, bounds
        self._children: dict[tuple[str, ...], Durations] = {}

    def of(self, *values: str) -> Durations:
        """Return the one for these values of the labels."""
        found = self._children.get(values)
        if found is None:
            found = self._children[values] = Durations(self._numbers, self._bounds)
        return found

    def family(self, totals: Sequence[float]) -> Metric:
        """Return what a scrape shows."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, child in list(self._children.items()):
            family.add_metric(values, *child.of(totals))
        return family


class RedisAway:
    """How often Redis was away, and for how long, an outage under way included.

    While one is under way, ``seconds`` lacks the time at which it began, so that adding the present time
    once for each process that finds Redis away gives the right sum for all of them.
    """

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._outages = figures.counts(
            "hookyard_redis_outages", "Times that this process found Redis away, hung or refusing writes"
        ).of()
        self._seconds = Count(figures.numbers)
        self._away = Count(figures.numbers)
        figures.add(self._families)

    def began(self) -> None:
        """Count an outage from now on."""
        self._outages.add()
        self._away.add()
        self._seconds.add(-time.monotonic())

    def ended(self) -> None:
        """End it."""
        self._away.add(-1)
        self._seconds.add(time.monotonic())

    def forget(self) -> None:
        """End what is still under way in numbers that were taken over from a process that died."""
        while self._away.of(self._figures.numbers.cells) > 0:
            self.ended()

    def _families(self, totals: Sequence[float]) -> Iterator[Metric]:
        away = self._away.of(totals)
        seconds = self._seconds.of(totals) + away * time.monotonic()
        yield gauge("hookyard_redis_away", "Processes that find Redis away just now", away)
        yield CounterMetricFamily(
            "hookyard_redis_away_seconds", "Time for which processes found Redis away", max(0.0, seconds)
        )


class Figures:
    """All that one process counts and times."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self._sources: list[Callable[[Sequence[float]], Iterable[Metric]]] = []

    def counts(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Counts:
        """Return a new counter; a scrape shows its name with ``_total``."""
        made = Counts(self.numbers, name, documentation, labels)
        self._sources.append(lambda totals: [made.family(totals)])
        return made

    def durations(
        self, name: str, documentation: str, labels: tuple[str, ...] = (), *, bounds: tuple[float, ...]
    ) -> DurationsBy:
        """Return a new histogram of seconds."""
        made = DurationsBy(self.numbers, name, documentation, labels, bounds)
        self._sources.append(lambda totals: [made.family(totals)])
        return made

    def add(self, source: Callable[[Sequence[float]], Iterable[Metric]]) -> None:
        """Have *source* asked at every scrape, with the totals of the numbers."""
        self._sources.append(source)

    def text(self, *further: Metric) -> bytes:
        """Return all of it, and what else there is to tell just now, in Prometheus's text format."""
        totals = self.numbers.totals()
        counted = [family for source in self._sources for family in source(totals)]
        return generate_latest(_Families([*counted, *further]))


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def gauge(name: str, documentation: str, value: float) -> Metric:
    """Return one number that goes up and down."""
    return GaugeMetricFamily(name, documentation, value)


def gauges(name: str, documentation: str, label: str, values: dict[str, float]) -> Metric:
    """Return one such number for each value of *label*."""
    family = GaugeMetricFamily(name, documentation, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
