"""What an ingress counts and times; docs/reference/metrics.md says what for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hookyard.telemetry.metrics import Figures, RedisAway, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from ingress.spool.table import Depth

ANSWERS: Final = {
    "202": ("kept", "spooled"),
    "200": ("duplicate",),
    "400": ("bad_id", "no_event", "malformed", "too_deep"),
    "401": ("no_secret", "no_signature", "wrong_token", "wrong_signature", "stale"),
    "408": ("too_slow",),
    "413": ("too_large",),
    "415": ("bad_charset", "bad_content_type"),
    "503": ("too_busy", "cannot_keep"),
}
"""Every answer there is, with its reasons: all are shown from the start, so that the first one is seen to
rise, and sibling processes count each in the same place. A test looks for the reasons in the code."""


class IngressMetrics:
    """The figures of one ingress process; what is made here is made before it counts with its siblings."""

    def __init__(self) -> None:
        self.figures = Figures()
        requests = self.figures.counts(
            "hookyard_ingress_requests",
            "Webhook requests answered",
            ("status", "reason"),
        )
        self.requests = {
            (int(status), reason): requests.of(status, reason)
            for status, reasons in ANSWERS.items()
            for reason in reasons
        }
        self._others = requests.of("other", "other")
        self.answer_seconds = self.figures.durations(
            "hookyard_ingress_answer_seconds",
            "From the whole body read to the answer known",
            bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
        ).of()
        self.drained = self.figures.counts(
            "hookyard_ingress_spool_drained", "Deliveries handed from the spool to Redis"
        ).of()
        self.redis_away = RedisAway(self.figures)

    def refused(self, status: int, reason: str) -> None:
        """Count a request that was not kept."""
        self.requests.get((status, reason), self._others).add()

    def text(self, *further: Metric) -> bytes:
        """Return all of it, and *further* ones, in Prometheus's text format."""
        processes = 1 + len(self.figures.numbers.others())
        told = gauge(
            "hookyard_ingress_processes", "Processes of this ingress that these figures are of", processes
        )
        return self.figures.text(told, *further)


def spool_families(depth: Depth | None) -> Iterator[Metric]:
    """Return what a scrape shows of the spool; nothing where there is none.

    :param depth: ``None`` where its disk fails.
    """
    yield gauge("hookyard_ingress_spool_works", "1 while the spool can be read, else 0", depth is not None)
    if depth is not None:
        yield gauge(
            "hookyard_ingress_spool_waiting", "Deliveries in this ingress's spool directory", depth.waiting
        )
        yield gauge("hookyard_ingress_spool_used_bytes", "What they take on the disk", depth.used_bytes)
        yield gauge("hookyard_ingress_spool_max_bytes", "What they may take", depth.max_bytes)
