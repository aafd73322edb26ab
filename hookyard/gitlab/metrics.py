"""Metrics of the REST calls that handlers make; docs/reference/metrics.md explains each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from hookyard.telemetry.metrics import gauge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from hookyard.telemetry.metrics import Registry

NO_ANSWER: Final = "none"
"""In place of a status: GitLab did not answer, or the handler was cancelled before it did."""

_CALL_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_USUAL_STATUSES: Final = (200, 201, 204, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)


class GitLabMetrics(Collector):
    """GitLab's answers to handlers."""

    def __init__(self, registry: Registry) -> None:
        self._answers = Counter(
            "hookyard_worker_gitlab_answers", "REST calls, by GitLab's answer", ("status",), registry=registry
        )
        for status in _USUAL_STATUSES:
            self._answers.labels(str(status))
        self._seconds = Histogram(
            "hookyard_worker_gitlab_call_seconds",
            "From a REST call to its answer, retries of lost connections included",
            ("method",),
            buckets=_CALL_S,
            registry=registry,
        )
        self._rate_limit: dict[str, float] = {}
        registry.register(self)

    def called(self, method: str, status: int | None, seconds: float, headers: Mapping[str, str]) -> None:
        """Count a call, and keep what its answer says of the rate limit.

        :param status: ``None`` when there was no answer.
        """
        self._answers.labels(NO_ANSWER if status is None else str(status)).inc()
        self._seconds.labels(method).observe(seconds)
        for name in ("limit", "remaining"):
            text = headers.get(f"ratelimit-{name}", "")
            if text.isascii() and text.isdigit():
                self._rate_limit[name] = float(text)

    def collect(self) -> Iterator[Metric]:
        """Return the rate limit, where GitLab has stated one."""
        what = {"limit": "Calls that GitLab allows", "remaining": "Calls left of those that GitLab allows"}
        for name, value in list(self._rate_limit.items()):
            yield gauge(
                f"hookyard_worker_gitlab_rate_limit_{name}", f"{what[name]}, as its last answer said", value
            )
