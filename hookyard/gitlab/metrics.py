"""Count and time the REST calls that handlers make; docs/reference/metrics.md says what for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hookyard.telemetry.metrics import Figures, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

NO_ANSWER: Final = "none"
"""In the place of a status: GitLab did not answer, or the handler was cancelled before it did."""

_CALL_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_USUAL_STATUSES: Final = (200, 201, 204, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)


class GitLabMetrics:
    """What GitLab answered to handlers."""

    def __init__(self, figures: Figures) -> None:
        self._answers = figures.counts(
            "hookyard_worker_gitlab_answers", "REST calls, by GitLab's answer", ("status",)
        )
        for status in _USUAL_STATUSES:
            self._answers.of(str(status))
        self._seconds = figures.durations(
            "hookyard_worker_gitlab_call_seconds",
            "From a REST call to its answer, repetitions of lost connections included",
            ("method",),
            bounds=_CALL_S,
        )
        self._rate_limit: dict[str, float] = {}
        figures.add(self._families)

    def called(self, method: str, status: int | None, seconds: float, headers: Mapping[str, str]) -> None:
        """Count a call, and note what its answer says of the rate limit.

        :param status: ``None`` when there was no answer.
        """
        self._answers.of(NO_ANSWER if status is None else str(status)).add()
        self._seconds.of(method).observe(seconds)
        for name in ("limit", "remaining"):
            text = headers.get(f"ratelimit-{name}", "")
            if text.isascii() and text.isdigit():
                self._rate_limit[name] = float(text)

    def _families(self, _totals: Sequence[float]) -> Iterator[Metric]:
        what = {"limit": "Calls that GitLab allows", "remaining": "Calls left of those that GitLab allows"}
        for name, value in list(self._rate_limit.items()):
            yield gauge(
                f"hookyard_worker_gitlab_rate_limit_{name}", f"{what[name]}, as its last answer said", value
            )
