"""Metrics of an ingress and its spool; docs/reference/metrics.md explains each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from hookyard.telemetry.metrics import RedisAway, Registry, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from ingress.spool.table import Depth

ANSWERS: Final = {
    "202": ("kept", "spooled"),
    "200": ("duplicate",),
    "400": (
        "bad_id",
        "no_event",
        "no_body",
        "malformed",
        "too_deep",
        "not_http",
        "bad_framing",
        "upgrade",
        "foreign_host",
    ),
    "401": ("no_secret", "no_signature", "wrong_token", "wrong_signature", "wrong_instance", "stale"),
    "408": ("too_slow", "head_too_slow"),
    "413": ("too_large",),
    "415": ("bad_charset", "bad_content_type"),
    "431": ("head_too_large",),
    "503": ("too_busy", "cannot_keep", "too_many_connections"),
}
"""Every answer with its reasons. All are shown from the start, so that the first increase is seen. A test
compares the reasons with the code."""


class IngressMetrics:
    """The metrics of one ingress process."""

    def __init__(self) -> None:
        self.registry = Registry()
        requests = Counter(
            "hookyard_ingress_requests",
            "Webhook requests answered",
            ("status", "reason"),
            registry=self.registry,
        )
        self.requests = {
            (int(status), reason): requests.labels(status, reason)
            for status, reasons in ANSWERS.items()
            for reason in reasons
        }
        self._others = requests.labels("other", "other")
        self.answer_seconds = Histogram(
            "hookyard_ingress_answer_seconds",
            "From the whole body read to the answer known",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
            registry=self.registry,
        )
        self.drained = Counter(
            "hookyard_ingress_spool_drained",
            "Deliveries handed from the spool to Redis",
            registry=self.registry,
        )
        self.redis_away = RedisAway(self.registry)

    def refused(self, status: int, reason: str) -> None:
        """Count a request that was not accepted."""
        self.requests.get((status, reason), self._others).inc()


class SpoolMetrics(Collector):
    """The spool as ``depth`` has it: read before each scrape, ``None`` where its disk fails."""

    def __init__(self, registry: Registry) -> None:
        self.depth: Depth | None = None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return what a scrape shows of it."""
        depth = self.depth
        yield gauge(
            "hookyard_ingress_spool_works", "1 while the spool can be read, else 0", depth is not None
        )
        if depth is not None:
            yield gauge(
                "hookyard_ingress_spool_waiting",
                "Deliveries in this ingress's spool directory",
                depth.waiting,
            )
            yield gauge("hookyard_ingress_spool_used_bytes", "Disk space that they use", depth.used_bytes)
            yield gauge("hookyard_ingress_spool_max_bytes", "Disk space that they may use", depth.max_bytes)
