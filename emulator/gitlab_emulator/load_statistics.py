"""Statistics of a load: how deliveries ended, how fast they were answered, at what rate they were sent.

Of bounded size, however many there are: latencies are counted by the millisecond, up to the timeout.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitlab_emulator.hooks.sending import TIMEOUT_S, Answered, Broken, Refused, Sent, TimedOut, Unsendable

if TYPE_CHECKING:
    from collections.abc import Mapping

MANY_KINDS = 50
OTHERS = "others"
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The numbers of one run, so far.

    `sent` counts deliveries that were begun, `under_way` those of them without an ending. `failures`
    counts those that got no answer, by kind. `latency_ms` is that of answers, by `p50` … `max`, and
    empty without any. `rate` is deliveries begun per second; None for fewer than two. `late_ms` is how
    much later than planned a delivery was begun at worst.
    """

    sent: int
    under_way: int
    ok: int
    by_status: Mapping[str, int]
    failures: Mapping[str, int]
    duration_s: float
    rate: float | None
    late_ms: int
    latency_ms: Mapping[str, int]

    @property
    def all_ok(self) -> bool:
        """Whether every delivery was begun, ended and answered with 2xx."""
        return self.sent == self.ok

    def as_json(self) -> dict[str, object]:
        """The shape of `--json`."""
        return {**vars(self), "by_status": dict(self.by_status), "failures": dict(self.failures)}


class LoadStatistics:
    """Counts deliveries as they begin and end; times are seconds of one clock, whichever."""

    def __init__(self) -> None:
        self.started = 0
        self.ended = 0
        self.ok = 0
        self._statuses: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._took_ms: Counter[int] = Counter()
        self._first_s = self._newest_s = self._now_s = 0.0
        self._late_s = 0.0

    @property
    def failed(self) -> int:
        """Deliveries that ended in anything but 2xx."""
        return self.ended - self.ok

    @property
    def unreachable(self) -> bool:
        """Whether there was no answer at all, and the receiver is down or nothing can be sent."""
        return not self._statuses and (self._failures[kind(Refused())] + self._failures["unsendable"] > 0)

    def begin(self, now_s: float, *, late_s: float) -> None:
        """A delivery is begun, so much later than it was planned."""
        if not self.started:
            self._first_s = now_s
        self.started += 1
        self._newest_s = self._now_s = now_s
        self._late_s = max(self._late_s, late_s)

    def end(self, sent: Sent, now_s: float) -> None:
        """A delivery has ended."""
        self.ended += 1
        self.ok += sent.ok
        self._now_s = now_s
        if isinstance(sent.ending, Answered):
            self._statuses[str(sent.ending.status)] += 1
            self._took_ms[sent.duration_ms] += 1
        else:
            what = kind(sent.ending)
            known = what in self._failures or len(self._failures) < MANY_KINDS
            self._failures[what if known else OTHERS] += 1

    def summary(self) -> Summary:
        """What it has come to so far."""
        beginning_s = self._newest_s - self._first_s
        return Summary(
            sent=self.started,
            under_way=self.started - self.ended,
            ok=self.ok,
            by_status=dict(sorted(self._statuses.items())),
            failures=dict(self._failures.most_common()),
            duration_s=round(self._now_s - self._first_s, 3),
            rate=round((self.started - 1) / beginning_s, 1) if beginning_s > 0 else None,
            late_ms=round(self._late_s * 1000),
            latency_ms=_percentiles(self._took_ms),
        )


def kind(ending: Refused | TimedOut | Unsendable | Broken) -> str:
    """The kind of failure that a delivery without an answer is counted under."""
    match ending:
        case Refused():
            return "connection refused"
        case TimedOut():
            return f"no answer within {TIMEOUT_S:.0f} s"
        case Unsendable():
            return "unsendable"
        case Broken(why=why):
            return why


def _percentiles(took_ms: Counter[int]) -> dict[str, int]:
    if not took_ms:
        return {}
    total, seen = took_ms.total(), 0
    left = list(PERCENTILES)
    found: dict[str, int] = {}
    for ms in sorted(took_ms):
        seen += took_ms[ms]
        while left and seen * 100 >= left[0] * total:
            found[f"p{left.pop(0)}"] = ms
    return {**found, "max": max(took_ms)}
