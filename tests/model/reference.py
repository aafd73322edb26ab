"""The rules of the ledger in plain Python: what each transition must do to each delivery.

It knows nothing of Redis, sorted sets or scripts, and no time but what is due. Whoever calls it says in
which order a claim meets the deliveries that are due.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

KEPT = 64
WAITS_S = {1: 30, 2: 300}
FINISHED = {"succeeded", "ignored", "failed"}

NOW, LEASE, LATER = "now", "lease", "later"
"""When a delivery falls due: at once, when its lease ends, after a retry's wait; or after so many seconds."""


@dataclass
class Delivery:
    """One delivery, as the record should show it."""

    state: str = "queued"
    due: str | int = NOW
    claims: int = 0
    runs: int = 0
    token: str | None = None
    confirmed: bool = False
    alone: bool = False
    quarantined: bool = False
    had_unconfirmed_lapse: bool = False
    crashed_by: list[str] = field(default_factory=list)
    failed_by_crashes: bool = False
    lapsed: str | None = None
    """How the present token's lease lapsed, while nobody else has claimed since."""
    replay: str | None = None
    owes_run: bool = False
    """A replay was answered, and no run has begun since."""
    round_from: int = 1
    done_from: int = 1
    settled: list[str] = field(default_factory=list)
    written: dict[int, str] = field(default_factory=dict)
    """By number of the run, the token that wrote it."""
    succeeded: dict[str, int] = field(default_factory=dict)
    """By handler, the run in which it succeeded."""
    has_body: bool = True

    @property
    def waits_apart(self) -> bool:
        """Whether it is in the quarantine."""
        return self.state == "queued" and self.quarantined

    def successes(self) -> set[str]:
        """Return the handlers that must not run again."""
        return {handler for handler, run in self.succeeded.items() if run >= self.done_from}


class Reference:
    """The deliveries of one ledger, by id."""

    reached: ClassVar[Counter[str]] = Counter()
    """What was met at all, over all sequences: a run that never met something has shown nothing of it."""

    def __init__(self, *, max_crashes: int) -> None:
        self.max_crashes = max_crashes
        self.deliveries: dict[str, Delivery] = {}
        self.must_wake = False
        """Whether there is something that only a wake-up token tells the workers of."""

    def has(self, kind: str) -> bool:
        """Whether any delivery is ``finished`` or ``quarantined``."""
        return any(
            it.waits_apart if kind == "quarantined" else it.state in FINISHED
            for it in self.deliveries.values()
        )

    def accept(self, one: str) -> bool:
        """Keep a delivery; give whether it is new."""
        if one in self.deliveries:
            return False
        self.deliveries[one] = Delivery()
        self.must_wake = True
        return True

    def claim(self, due: list[str], token: str) -> set[str]:
        """Claim what is due, in this order, and give what was claimed."""
        claimed, moved = set(), False
        for one in due:
            it = self.deliveries[one]
            if it.state == "running" and not self._lapse(it):
                moved = moved or it.waits_apart
                continue
            self._take(it, token, alone=False)
            claimed.add(one)
        waiting = (it for it in self.deliveries.values() if not it.waits_apart and it.state not in FINISHED)
        self.must_wake = moved or any(it.due == NOW for it in waiting)
        return claimed

    def claim_alone(self, one: str, token: str) -> None:
        """Claim one from the quarantine."""
        self._take(self.deliveries[one], token, alone=True)
        if any(it.waits_apart and it.due == NOW for it in self.deliveries.values()):
            self.must_wake = True

    def _take(self, it: Delivery, token: str, *, alone: bool) -> None:
        if it.token is not None and it.lapsed is None and it.token not in it.settled:
            it.settled.append(it.token)
        it.state, it.due, it.token, it.alone = "running", LEASE, token, alone
        it.claims += 1
        it.runs += 1
        it.confirmed, it.lapsed, it.replay, it.owes_run = False, None, None, False

    def _lapse(self, it: Delivery) -> bool:
        """End a run whose lease is over; give whether it may be claimed at once."""
        if it.alone:
            it.lapsed = "counted" if it.confirmed else "uncounted"
        elif it.confirmed or it.had_unconfirmed_lapse:
            it.lapsed, it.quarantined = "quarantined", True
        else:
            it.lapsed, it.had_unconfirmed_lapse = "requeued", True
        self.reached[f"lapsed: {it.lapsed}"] += 1
        it.state, it.due = "queued", NOW
        if it.lapsed == "counted" and it.token is not None:
            it.crashed_by.append(it.token)
            it.due = WAITS_S.get(len(it.crashed_by), 300)
        if it.replay is not None:
            self.reached["replay after a lapse"] += 1
            self._begin_round(it, it.replay)
        elif len(it.crashed_by) >= self.max_crashes and it.lapsed == "counted":
            it.state, it.failed_by_crashes = "failed", True
            self.reached["failed by crashes"] += 1
        return it.lapsed == "requeued"

    def _begin_round(self, it: Delivery, what: str) -> None:
        it.runs, it.round_from, it.due = 0, it.claims + 1, NOW
        if what == "all":
            it.done_from = it.claims + 1
        it.crashed_by, it.had_unconfirmed_lapse, it.failed_by_crashes = [], False, False

    def renew(self, one: str, token: str) -> bool:
        """Prolong a lease, give a delivery back to a holder that lives; give whether it holds now."""
        it = self.deliveries.get(one)
        if it is None:
            return False
        if it.state == "running" and it.token == token:
            it.confirmed, it.due = True, LEASE
            return True
        was_counted = token in it.crashed_by
        if was_counted:
            self.reached["a crash taken back"] += 1
            it.crashed_by.remove(token)
        if it.lapsed is not None and it.token == token:
            self.reached[f"regained from {it.state}, {it.lapsed}"] += 1
            if it.lapsed == "quarantined":
                it.quarantined = False
            it.state, it.due, it.confirmed, it.lapsed = "running", LEASE, True, None
            it.failed_by_crashes = False
            return True
        if was_counted and it.state == "failed" and it.failed_by_crashes:
            it.state, it.due, it.failed_by_crashes = "queued", NOW, False
            self.must_wake = True
            self.reached["a verdict fell"] += 1
        return False

    def checkpoint(self, one: str, token: str, succeeded: set[str]) -> bool:
        """Record what a run has come to so far; give whether it was written."""
        if not self.renew(one, token):
            return False
        self._write(self.deliveries[one], token, succeeded)
        return True

    def _write(self, it: Delivery, token: str, succeeded: set[str]) -> None:
        it.written[it.claims] = token
        it.succeeded |= dict.fromkeys(succeeded, it.claims)

    def settle(self, one: str, token: str, state: str, succeeded: set[str]) -> bool:
        """End a run; give whether this holder's outcome is in the record."""
        if not self.renew(one, token):
            it = self.deliveries.get(one)
            if it is None:
                return False
            is_written = token in it.settled or (
                it.token == token and it.state != "running" and it.lapsed is None
            )
            self.reached[f"settled again: {is_written}"] += 1
            return is_written
        it = self.deliveries[one]
        self._write(it, token, succeeded)
        was_alone = it.alone
        it.confirmed, it.had_unconfirmed_lapse, it.crashed_by, it.alone = False, False, [], False
        if it.replay is not None:
            self.reached["replay after a run"] += 1
            it.state, it.quarantined = "queued", False
            self._begin_round(it, it.replay)
            it.replay = None
        else:
            it.state = state
            it.quarantined = it.quarantined and state == "queued"
            self.reached[f"settled {state}{', alone' if was_alone else ''}"] += 1
            it.due = LATER if state in {"retrying", "waiting"} else NOW
            if state == "queued":
                it.runs = max(0, it.runs - 1)
        if it.state not in FINISHED:
            self.must_wake = True
        return True

    def replay(self, one: str, what: str) -> str:
        """Order that a delivery run again; give the answer."""
        it = self.deliveries.get(one)
        if it is None:
            return "missing"
        if not it.has_body:
            self.reached["a replay refused"] += 1
            return "dropped"
        whole = "all" if "all" in {what, it.replay} else what
        it.owes_run = True
        if it.state == "running":
            it.replay = whole
            return "running"
        it.state = "queued"
        self._begin_round(it, what)
        if it.lapsed is not None:
            it.replay = whole
        self.must_wake = True
        return "queued"

    def drop_body(self, one: str) -> None:
        """Take a finished delivery's body; one that failed by crashes cannot be given back any more."""
        it = self.deliveries[one]
        it.has_body = False
        if it.failed_by_crashes:
            it.failed_by_crashes, it.lapsed, it.token, it.crashed_by = False, None, None, []
