"""Prometheus metrics of one process: its registry, and how often and how long Redis was away.

docs/reference/metrics.md lists every metric, and a test compares it with the code. Units end the names. What
is counted for each request or delivery looks its labels up once and keeps the child.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Registry(CollectorRegistry):
    """The metrics of one process, apart from prometheus_client's global registry, which belongs to the bot.

    It leaves out the ``_created`` samples: they double the series of each counter, and the library's switch
    for them would reach the bot's own metrics as well.
    """

    def collect(self) -> Iterator[Metric]:
        """Return all metrics as they are now."""
        for metric in super().collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format. Blocking where a collector reads Redis."""
        return generate_latest(self)


class RedisAway(Collector):
    """How often Redis was away, and for how long, an outage under way included."""

    def __init__(self, registry: Registry) -> None:
        self._outages = 0
        self._seconds = 0.0
        self._since: float | None = None
        registry.register(self)

    def began(self) -> None:
        """Count an outage from now on."""
        self._outages += 1
        self._since = time.monotonic()

    def ended(self) -> None:
        """End the outage."""
        since, self._since = self._since, None
        if since is not None:
            self._seconds += time.monotonic() - since

    def collect(self) -> Iterator[Metric]:
        """Return the three metrics."""
        since, seconds = self._since, self._seconds
        if since is not None:
            seconds += time.monotonic() - since
        yield GaugeMetricFamily(
            "hookyard_redis_away", "Whether this process finds Redis away just now", since is not None
        )
        yield CounterMetricFamily(
            "hookyard_redis_outages",
            "Times that this process found Redis away, hung or refusing writes",
            self._outages,
        )
        yield CounterMetricFamily(
            "hookyard_redis_away_seconds", "Time for which this process found Redis away", seconds
        )


def gauge(name: str, documentation: str, value: float) -> Metric:
    """Return a gauge as a collector yields it."""
    return GaugeMetricFamily(name, documentation, value)


def gauges(name: str, documentation: str, label: str, values: dict[str, float]) -> Metric:
    """Return a gauge with one sample for each value of *label*."""
    family = GaugeMetricFamily(name, documentation, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
