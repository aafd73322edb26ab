"""What a chaos run came to: what was promised and not kept, and the figures."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hookyard.ledger.records import Ending, Outcome, Record, State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.yard import Yard

FINAL = {State.SUCCEEDED, State.IGNORED, State.FAILED}


@dataclass(frozen=True, kw_only=True)
class HandlerStep:
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
    verdict = Verdict()
    runs = _steps(runs_log)
    for delivery_id in sorted(accepted):
        record = records.get(delivery_id)
        if record is None:
            verdict.broken.append(f"{delivery_id} was accepted and is lost")
        elif record.state not in FINAL:
            verdict.broken.append(f"{delivery_id} is stuck: {record.state}")
        else:
            verdict.broken += _faults_of(record, runs[delivery_id])
    states = Counter(record.state.value for record in records.values())
    counts = [sum(run.what == "start" for run in lines) for lines in runs.values()]
    verdict.figures = {
        "accepted": len(accepted),
        "in the ledger": len(records),
        "succeeded": states["succeeded"],
        "failed": states["failed"],
        "failed by crashes": sum("crashed" in (record.error or "") for record in records.values()),
        "handler runs per delivery (2 without a fault)": round(sum(counts) / max(1, len(counts)), 3),
        "runs lost with a worker": sum(
            one.ending is Ending.CRASHED for record in records.values() for one in record.history
        ),
        "worst time from kill to re-run, s": _worst_rerun_s(records, yard.killed, crashes=1),
        "the same for quarantined deliveries (one at a time), s": _worst_rerun_s(
            records, yard.killed, crashes=2
        ),
    }
    return verdict


def _faults_of(  # noqa: C901 - one rule after the other
    record: Record, steps: list[HandlerStep]
) -> list[str]:
    """Return what is wrong with one finished delivery."""
    faults = []
    name = record.delivery.id
    ended = {step.handler for step in steps if step.what == "end"}
    succeeded: dict[str, int] = {}
    for run in record.history:
        for attempt in run.attempts:
            if attempt.handler in succeeded:
                faults.append(f"{name}: {attempt.handler} had succeeded and ran again")
            if attempt.outcome is Outcome.SUCCEEDED:
                succeeded[attempt.handler] = run.ended_ms or 0
    for handler, ended_ms in succeeded.items():
        short = handler.rpartition(":")[2]
        if short not in ended:
            faults.append(f"{name}: {short} is said to have succeeded and never ran to its end")
        for step in steps:
            if not ended_ms or step.handler != short or step.what != "start" or step.at_ms <= ended_ms:
                continue
            faults.append(f"{name}: {short} ran {step.at_ms - ended_ms} ms after its success was recorded")
    is_meant_to_kill = json.loads(record.delivery.body)["kind"] == "kills"
    if record.state is State.FAILED and "crashed" in (record.error or "") and not is_meant_to_kill:
        faults.append(f"{name} failed by crashes and was not meant to: {record.error}")
    if is_meant_to_kill and record.state is not State.FAILED:
        faults.append(f"{name} kills its host each time and is {record.state}")
    if record.state is State.SUCCEEDED and len(record.succeeded_handlers()) != 2:
        faults.append(f"{name}: succeeded with {len(record.succeeded_handlers())} of 2 handlers")
    return faults


def _steps(log: Path) -> dict[str, list[HandlerStep]]:
    steps: dict[str, list[HandlerStep]] = defaultdict(list)
    for line in log.read_text().splitlines():
        delivery_id, handler, what, at, pid = line.split()
        steps[delivery_id].append(HandlerStep(handler=handler, what=what, at_ms=int(at), pid=int(pid)))
    return steps


def _worst_rerun_s(records: dict[str, Record], killed: dict[int, int], *, crashes: int) -> float:
    """Return how long after its worker's kill, its *crashes*-th in a row, a delivery was claimed again."""
    waits = []
    for record in records.values():
        in_a_row = 0
        for run in record.history:
            in_a_row = in_a_row + 1 if run.ending is Ending.CRASHED else 0
            if in_a_row != crashes:
                continue
            pid = int(run.worker.split("-")[-2]) if run.worker.count("-") >= 2 else 0
            if run.ending is Ending.CRASHED and pid in killed and run.ended_ms:
                waits.append((run.ended_ms - killed[pid]) / 1000)
    return max(waits, default=0.0)
