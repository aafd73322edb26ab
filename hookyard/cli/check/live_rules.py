"""Findings about a running installation: workers, queue, clocks, spool. Rule: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hookyard.cli.check.finding import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hookyard.ledger.query import Stats

_WAITS_LONG_S: Final = 300
_REDIS_SKEW_S: Final = 5
_ENOUGH_TO_ESTIMATE: Final = 1000
_GITLAB_SKEW_S: Final = 30
"""GitLab gives its time in whole seconds, and its answer takes a while."""


def of_workers(alive: Sequence[str], stats: Stats) -> list[Finding]:
    """Judge which workers are alive, and for how long a delivery has been due."""
    waits_s = 0.0 if stats.oldest_due_ms is None else max(0.0, (stats.now_ms - stats.oldest_due_ms) / 1000)
    return [_workers(alive), _waiting(waits_s), *_failed(stats)]


def _workers(alive: Sequence[str]) -> Finding:
    if not alive:
        text = "none is running: deliveries are accepted but not handled"
        return Finding(level=Level.RISK, about="workers", text=text, todo="Start one: hookyard worker")
    return Finding(level=Level.OK, about="workers", text=f"{len(alive)}: {', '.join(alive)}")


def _waiting(waits_s: float) -> Finding:
    if waits_s <= _WAITS_LONG_S:
        text = (
            f"the oldest delivery has been due for {waits_s:.0f} s"
            if waits_s >= 1
            else "no delivery is waiting"
        )
        return Finding(level=Level.OK, about="queue", text=text)
    return Finding(
        level=Level.RISK,
        about="queue",
        text=f"a delivery has been due for {waits_s / 60:.0f} minutes",
        todo="Start more workers, or see what they are doing: hookyard deliveries --state running",
    )


def _failed(stats: Stats) -> list[Finding]:
    number = next((count for state, count in stats.states.items() if state.value == "failed"), 0)
    if not number:
        return []
    return [
        Finding(
            level=Level.RISK,
            about="failed",
            text=f"{number} failed for good and kept until retention removes them",
            todo="See why with `hookyard deliveries --state failed`, then replay or discard them.",
        )
    ]


def of_retention(
    *,
    keep_days: float,
    keep_count: int,
    allowed_bytes: int | None,
    used_bytes: int,
    total: int,
    per_day: float,
) -> list[Finding]:
    """Judge whether memory suffices to keep succeeded deliveries as long as the settings say.

    :param allowed_bytes: ``HOOKYARD_KEEP_MEMORY``; ``None`` where it limits nothing.
    :param total: the number of deliveries kept, in *used_bytes*.
    """
    if allowed_bytes is None or total < _ENOUGH_TO_ESTIMATE or per_day <= 0:
        return []
    each_bytes = used_bytes / total
    room_days = allowed_bytes / (each_bytes * per_day)
    rate = f"{per_day:,.0f} deliveries a day of {each_bytes / 1024:.1f} KiB"
    if room_days >= min(keep_days, keep_count / per_day):
        return [Finding(level=Level.OK, about="retention", text=f"room for {room_days:.1f} days, at {rate}")]
    return [
        Finding(
            level=Level.RISK,
            about="retention",
            text=f"at {rate}, bodies of succeeded deliveries are dropped after {room_days:.1f} days "
            f"instead of {keep_days:g}",
            todo="Raise `maxmemory` or HOOKYARD_KEEP_MEMORY, or lower HOOKYARD_KEEP_SUCCEEDED_DAYS.",
        )
    ]


def of_redis_clock(ahead_s: float) -> Finding:
    """Judge the offset of Redis's clock."""
    if abs(ahead_s) < _REDIS_SKEW_S:
        return Finding(level=Level.OK, about="clock", text="Redis and this machine agree on the time")
    return Finding(
        level=Level.RISK,
        about="clock",
        text=f"Redis is {_apart(ahead_s)} this machine: times shown, pick-up times and retention are off",
        todo="Synchronise both clocks with NTP.",
    )


def of_gitlab_clock(report: Mapping[str, Any], *, tolerance_s: int, signed: bool) -> list[Finding]:
    """Judge the offset of GitLab's clock, where it is known.

    :param signed: whether signing tokens are set: an offset beyond *tolerance_s* then refuses every webhook.
    """
    ahead_s: float | None = report.get("clock_ahead_s")
    if ahead_s is None:
        return []
    if abs(ahead_s) < min(_GITLAB_SKEW_S, tolerance_s):
        return [Finding(level=Level.OK, about="clock", text="GitLab and this machine agree on the time")]
    text, level = f"GitLab is {_apart(ahead_s)} this machine", Level.RISK
    if signed and abs(ahead_s) >= tolerance_s:
        text, level = f"{text}: its signed webhooks are refused", Level.FAULT
    elif signed:
        text += f": beyond {tolerance_s} s its signed webhooks are refused"
    return [
        Finding(
            level=level,
            about="clock",
            text=text,
            todo="Synchronise this machine's clock and GitLab's with NTP.",
        )
    ]


def _apart(ahead_s: float) -> str:
    return f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'}"


def of_spool(report: Mapping[str, Any]) -> list[Finding]:
    """Judge the report of ``ingress.diagnostics`` on the spool of this machine, if there is one."""
    directory = report["directory"]
    if directory is None:
        return []
    if report["error"]:
        return [
            Finding(
                level=Level.FAULT,
                about="spool",
                text=f"{directory} cannot be read: {report['error']}",
                todo="Check its disk and its owner.",
            )
        ]
    found = []
    if report["damaged"]:
        found.append(
            Finding(
                level=Level.RISK,
                about="spool",
                text=f"{directory} holds damaged deliveries: {', '.join(report['damaged'])}",
                todo="They were accepted and never handled; docs/guides/operate.md says what can be done.",
            )
        )
    if report["waiting"]:
        text = f"about {report['waiting']} deliveries wait in {directory}"
        todo = (
            "An ingress that runs with this directory hands them to Redis by itself; start one if none runs."
        )
        return [*found, Finding(level=Level.RISK, about="spool", text=text, todo=todo)]
    return [*found, Finding(level=Level.OK, about="spool", text=f"{directory} is empty")]
