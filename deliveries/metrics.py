"""What the processes count and time, for Prometheus. Units end the names, as Prometheus wants it."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Durations(Collector):
    """A histogram of seconds for one thread, without the locks of prometheus-client's: each request pays.

    :param bounds: upper bounds of the buckets, rising.
    """

    def __init__(self, name: str, documentation: str, *, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Give what a scrape shows."""
        buckets, total = [], 0
        for bound, count in zip((*map(str, map(float, self._bounds)), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, self._sum_s)


class IngressMetrics:
    """Counters of one ingress process, in a registry of its own so that tests can run several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hookyard_ingress_requests",
            "Webhook requests, by answer status and reason",
            ["status", "reason"],
            registry=self.registry,
        )
        self.answer_seconds = Durations(
            "hookyard_ingress_answer_seconds",
            "From the whole body read to the answer known",
            bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
        )
        self.registry.register(self.answer_seconds)

    def text(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self.registry)
