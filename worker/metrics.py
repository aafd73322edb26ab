"""Metrics of a worker; docs/reference/metrics.md explains each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from hookyard.gitlab.hooks import Status
from hookyard.gitlab.metrics import GitLabMetrics
from hookyard.ledger.records import Outcome, State
from hookyard.telemetry.metrics import RedisAway, Registry

if TYPE_CHECKING:
    from hookyard.host.messages import Blocked, Called
    from hookyard.ledger.records import Record
    from worker.hosts.pool import HostPool

CUT_OFF: Final = "cut off"
"""In place of an outcome: the attempt was cancelled, by a drain or because its lease was lost."""

_PICKUP_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_HANDLER_S: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_REASONS: Final = ("crashed", "hung", "attempts", "memory", "reloaded")
_RUN_ENDS: Final = (State.SUCCEEDED, State.IGNORED, State.FAILED, State.RETRYING, State.WAITING, State.QUEUED)


class HandlerMetrics:
    """One handler's attempts."""

    def __init__(self, metrics: WorkerMetrics, handler: str) -> None:
        self._attempts = {
            outcome: metrics.attempts.labels(handler, outcome) for outcome in (*map(str, Outcome), CUT_OFF)
        }
        self._seconds = metrics.attempt_seconds.labels(handler)
        self._given_up = metrics.given_up.labels(handler)

    def ran(self, outcome: str, seconds: float, *, given_up: bool = False) -> None:
        """Count an attempt that has ended."""
        self._attempts[outcome].inc()
        self._seconds.observe(seconds)
        if given_up:
            self._given_up.inc()


class WorkerMetrics:
    """The metrics of one worker process."""

    def __init__(self, *, slots: int) -> None:
        self.registry = registry = Registry()
        self._claims = Counter("hookyard_worker_claims", "Deliveries claimed", registry=registry)
        self._pickup_seconds = Histogram(
            "hookyard_worker_pickup_seconds",
            "From a delivery's receipt to its first claim, by the clocks of ingress and worker",
            buckets=_PICKUP_S,
            registry=registry,
        )
        runs = Counter(
            "hookyard_worker_runs",
            "Runs that have ended, by the delivery's state afterwards",
            ("state",),
            registry=registry,
        )
        self.runs = {state: runs.labels(state.value) for state in _RUN_ENDS}
        self.leases_lost = Counter(
            "hookyard_worker_leases_lost",
            "Runs that did not count: the worker no longer owned the delivery",
            registry=registry,
        )
        self.attempts = Counter(
            "hookyard_worker_attempts",
            "Attempts that have ended",
            ("handler", "outcome"),
            registry=registry,
        )
        self.given_up = Counter(
            "hookyard_worker_attempts_given_up",
            "Attempts after which a handler was given up",
            ("handler",),
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "hookyard_worker_attempt_seconds",
            "Duration of attempts",
            ("handler",),
            buckets=_HANDLER_S,
            registry=registry,
        )
        Gauge(
            "hookyard_worker_slots", "Deliveries that this worker runs at most at once", registry=registry
        ).set(slots)
        self.running = Gauge(
            "hookyard_worker_running", "Deliveries claimed and not yet settled", registry=registry
        )
        self._blocking = Counter(
            "hookyard_worker_blocking_calls",
            "Times that a handler kept its host's event loop from running",
            ("handler",),
            registry=registry,
        )
        replaced = Counter(
            "hookyard_worker_hosts_replaced", "Hosts that were replaced", ("reason",), registry=registry
        )
        self._replaced = {reason: replaced.labels(reason) for reason in _REASONS}
        self._hooks = Gauge(
            "hookyard_worker_hook_status",
            "Webhooks in GitLab by status, as the worker that watches them saw them last",
            ("hook", "status"),
            registry=registry,
        )
        self.hooks_imported = Counter(
            "hookyard_worker_hooks_imported", "Deliveries imported out of GitLab's log", registry=registry
        )
        self.hosts = Gauge("hookyard_worker_hosts", "Hosts that are ready", registry=registry)
        self.hosts_memory = Gauge(
            "hookyard_worker_hosts_memory_bytes", "Resident memory of all hosts", registry=registry
        )
        self.gitlab = GitLabMetrics(registry)
        self.redis_away = RedisAway(registry)
        self._handlers: dict[str, HandlerMetrics] = {}

    def called(self, called: Called) -> None:
        """Count a REST call of a handler's."""
        headers = {"ratelimit-limit": called.limit, "ratelimit-remaining": called.remaining}
        self.gitlab.called(called.method, called.status, called.seconds, headers)

    def blocked(self, blocked: Blocked) -> None:
        """Count a handler that kept its host's loop from running."""
        self._blocking.labels(blocked.handler).inc()

    def host_replaced(self, reason: str) -> None:
        """Count a host that was replaced: it crashed, hung, or had run or grown enough."""
        self._replaced[reason].inc()

    def hook_status(self, hook: str, status: Status) -> None:
        """Show the status of a webhook in GitLab."""
        for each in Status:
            self._hooks.labels(hook, each.value).set(each is status)

    def forget_hooks(self) -> None:
        """Show none any more: another worker watches them."""
        self._hooks.clear()

    def watch(self, pool: HostPool) -> None:
        """Show the hosts of *pool*."""
        self.hosts.set_function(lambda: sum(host.is_ready for host, _ in pool.hosts))
        self.hosts_memory.set_function(lambda: sum(body.memory_bytes() or 0 for _, body in pool.hosts))

    def claimed(self, record: Record | None) -> None:
        """Count a claim, and at a delivery's first how long it has waited.

        :param record: ``None`` for one that cannot be read.
        """
        self._claims.inc()
        if record is not None and record.claims == 1:
            # two machines' clocks: a receipt in the future counts as picked up at once
            self._pickup_seconds.observe(max(0.0, time.time() - record.delivery.received_ms / 1000))

    def handler(self, name: str) -> HandlerMetrics:
        """Return the metrics of one handler."""
        found = self._handlers.get(name)
        if found is None:
            found = self._handlers[name] = HandlerMetrics(self, name)
        return found
