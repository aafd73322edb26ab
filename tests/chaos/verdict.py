"""What a chaos run came to: what was promised and not kept, and the figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hookyard.ledger.records import Ending, Record, Result, State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.yard import Yard

INSTANT_MS = 50
FINAL = {State.SUCCEEDED, State.IGNORED, State.FAILED}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A line of the bot's log: a handler's ``start`` or ``end``, when (Unix ms), in which process."""

    handler: str
    what: str
    at_ms: int
    pid: int


@dataclass
class Verdict:
    """``broken`` lists every promise that was not kept; a good run has none."""

    broken: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def judge(accepted: set[str], records: dict[str, Record], runs_log: Path, yard: Yard) -> Verdict:
    """Compare what was accepted with what became of it.

    :param records: every record that is in the ledger at the end, by id.
    """
    excused: Counter[str] = Counter()
    verdict = Verdict()
    runs = _runs(runs_log)
    for delivery_id in sorted(accepted):
        record = records.get(delivery_id)
        if record is None:
            verdict.broken.append(f"{delivery_id} was accepted and is lost")
        elif record.state not in FINAL:
            verdict.broken.append(f"{delivery_id} is stuck: {record.state}")
        else:
            verdict.broken += _faults_of(record, runs[delivery_id], yard.resumed, excused)
    states = Counter(record.state.value for record in records.values())
    counts = [sum(run.what == "start" for run in lines) for lines in runs.values()]
    verdict.figures = {
        "accepted": len(accepted),
        "in the ledger": len(records),
        "succeeded": states["succeeded"],
        "failed": states["failed"],
        "failed because workers died": sum(
            "its worker died" in (record.error or "") for record in records.values()
        ),
        "handler runs per delivery (2 without a fault)": round(sum(counts) / max(1, len(counts)), 3),
        "tries lost with a worker": sum(
            one.ending is Ending.DIED for record in records.values() for one in record.history
        ),
        "started in the very instant of a pause": excused["instant"],
        "worst time from kill to re-run, s": _worst_rerun_s(records, yard.killed, deaths=1),
        "the same for suspects (one at a time), s": _worst_rerun_s(records, yard.killed, deaths=2),
    }
    return verdict


def _faults_of(  # noqa: C901 - one rule after the other
    record: Record, runs: list[Run], resumed: dict[int, list[int]], excused: Counter[str]
) -> list[str]:
    """Return what is wrong with one finished delivery.

    A process that is stopped after its last look at the lease and before the handler's first line
    starts it when it goes on, whatever happened meanwhile. No lease can prevent that; it is counted.
    """
    faults = []
    name = record.delivery.id
    ended = {run.handler for run in runs if run.what == "end"}
    succeeded: dict[str, int] = {}
    for one_try in record.history:
        for outcome in one_try.outcomes:
            if outcome.handler in succeeded:
                faults.append(f"{name}: {outcome.handler} had succeeded and ran again")
            if outcome.result is Result.SUCCEEDED:
                succeeded[outcome.handler] = one_try.ended_ms or 0
    for handler, ended_ms in succeeded.items():
        short = handler.rpartition(":")[2]
        if short not in ended:
            faults.append(f"{name}: {short} is said to have succeeded and never ran to its end")
        for run in runs:
            if not ended_ms or run.handler != short or run.what != "start" or run.at_ms <= ended_ms:
                continue
            if any(0 <= run.at_ms - at_ms <= INSTANT_MS for at_ms in resumed.get(run.pid, ())):
                excused["instant"] += 1
            else:
                faults.append(f"{name}: {short} ran {run.at_ms - ended_ms} ms after its success was recorded")
    if record.state is State.SUCCEEDED and len(record.succeeded_handlers()) != 2:
        faults.append(f"{name}: succeeded with {len(record.succeeded_handlers())} of 2 handlers")
    return faults


def _runs(log: Path) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = defaultdict(list)
    for line in log.read_text().splitlines():
        delivery_id, handler, what, at, pid = line.split()
        runs[delivery_id].append(Run(handler=handler, what=what, at_ms=int(at), pid=int(pid)))
    return runs


def _worst_rerun_s(records: dict[str, Record], killed: dict[int, int], *, deaths: int) -> float:
    """Return how long after its worker's kill, its *deaths*-th in a row, a delivery was claimed again."""
    waits = []
    for record in records.values():
        in_a_row = 0
        for one_try in record.history:
            in_a_row = in_a_row + 1 if one_try.ending is Ending.DIED else 0
            if in_a_row != deaths:
                continue
            pid = int(one_try.worker.split("-")[-2]) if one_try.worker.count("-") >= 2 else 0
            if one_try.ending is Ending.DIED and pid in killed and one_try.ended_ms:
                waits.append((one_try.ended_ms - killed[pid]) / 1000)
    return max(waits, default=0.0)
