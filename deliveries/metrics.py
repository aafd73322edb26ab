"""What the processes count and time, for Prometheus. Units end the names, as Prometheus wants it."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST


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
        self.answer_seconds = Histogram(
            "hookyard_ingress_answer_seconds",
            "From the whole body read to the answer known",
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
        )

    def text(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self.registry)
