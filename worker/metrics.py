"""What a worker counts and times; docs/reference/metrics.md says what for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from hookyard.gitlab.metrics import GitLabMetrics
from hookyard.ledger.records import Outcome, State
from hookyard.telemetry.metrics import Figures, RedisAway, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from hookyard.ledger.records import Record

CUT_OFF: Final = "cut off"
"""In the place of a result: the run was cancelled, by a drain or because its lease was lost."""

_PICKUP_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_HANDLER_S: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_RUN_ENDS: Final = (State.SUCCEEDED, State.IGNORED, State.FAILED, State.RETRYING, State.QUEUED)


class HandlerMetrics:
    """What one handler's runs came to."""

    def __init__(self, metrics: WorkerMetrics, handler: str) -> None:
        self._attempts = {
            result: metrics.attempts.of(handler, result) for result in (*map(str, Outcome), CUT_OFF)
        }
        self._seconds = metrics.attempt_seconds.of(handler)
        self._given_up = metrics.given_up.of(handler)

    def ran(self, result: str, seconds: float, *, given_up: bool = False) -> None:
        """Count a run that has ended."""
        self._attempts[result].add()
        self._seconds.observe(seconds)
        if given_up:
            self._given_up.add()


class WorkerMetrics:
    """The figures of one worker process."""

    def __init__(self, *, slots: int) -> None:
        self.figures = figures = Figures()
        self.running: Callable[[], int] = lambda: 0
        self._slots = slots
        self._claims = figures.counts("hookyard_worker_claims", "Deliveries claimed").of()
        self._pickup_seconds = figures.durations(
            "hookyard_worker_pickup_seconds",
            "From a delivery's receipt to its first claim, by the clocks of ingress and worker",
            bounds=_PICKUP_S,
        ).of()
        runs = figures.counts(
            "hookyard_worker_runs", "Tries that have ended, by the state the delivery went to", ("state",)
        )
        self.runs = {state: runs.of(state.value) for state in _RUN_ENDS}
        self.leases_lost = figures.counts(
            "hookyard_worker_leases_lost",
            "Tries that did not count: the delivery was another's by then",
        ).of()
        self.attempts = figures.counts(
            "hookyard_worker_attempts", "Attempts that have ended", ("handler", "outcome")
        )
        self.given_up = figures.counts(
            "hookyard_worker_attempts_given_up", "Attempts after which a handler was given up", ("handler",)
        )
        self.attempt_seconds = figures.durations(
            "hookyard_worker_attempt_seconds",
            "Duration of attempts",
            ("handler",),
            bounds=_HANDLER_S,
        )
        self.gitlab = GitLabMetrics(figures)
        self.redis_away = RedisAway(figures)
        self._handlers: dict[str, HandlerMetrics] = {}
        figures.add(self._families)

    def claimed(self, record: Record | None) -> None:
        """Count a claim, and at a delivery's first how long it has waited.

        :param record: ``None`` for one that cannot be read.
        """
        self._claims.add()
        if record is not None and record.claims == 1:
            # two machines' clocks: what came from the future was picked up at once
            self._pickup_seconds.observe(max(0.0, time.time() - record.delivery.received_ms / 1000))

    def handler(self, name: str) -> HandlerMetrics:
        """Return those of one handler."""
        found = self._handlers.get(name)
        if found is None:
            found = self._handlers[name] = HandlerMetrics(self, name)
        return found

    def _families(self, _totals: Sequence[float]) -> Iterator[Metric]:
        yield gauge("hookyard_worker_slots", "Deliveries that this worker runs at most at once", self._slots)
        yield gauge(
            "hookyard_worker_running",
            "Deliveries claimed and not yet settled",
            self.running(),
        )
