"""What a run came to: what was promised and not kept, what it never reached, and the figures."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hookyard.ledger.records import FINISHED, Ending, Outcome, Record, State
from tests.chaos.steps import Step, read_steps

if TYPE_CHECKING:
    from tests.chaos.yard import Yard

CRASHING: Final = frozenset({"exits", "segfaults", "hogs"})
"""Kinds of deliveries that end their host, or stock worker, each time: they must be found out."""

HANDLERS: Final = {"Push Hook": 2, "Tag Push Hook": 2, "Note Hook": 1}

_CLOCK_ERROR_MS: Final = 250
"""A due time is reckoned by a worker's estimate of Redis's clock, which may be ahead by a round trip."""


@dataclass
class Verdict:
    """``broken`` lists every promise that was not kept; a good run has none."""

    broken: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def sometimes(self, what: str, count: int) -> None:
        """Break the run when *what* never happened: it has then shown nothing about it."""
        self.figures[what] = count
        if not count:
            self.broken.append(f"never reached: {what}")


def judge(accepted: set[str], records: dict[str, Record], yard: Yard) -> Verdict:
    """Compare what was accepted with what became of it.

    :param records: every record that is in the ledger at the end, by id.
    """
    verdict = Verdict()
    steps = read_steps(yard.directory / "runs.log")
    stock = _processes_of_stock_workers(yard)
    excused = 0
    for delivery_id in sorted(accepted):
        record = records.get(delivery_id)
        if record is None:
            verdict.broken.append(f"{delivery_id} was accepted and is lost")
        elif record.state not in FINISHED:
            verdict.broken.append(f"{delivery_id} is stuck: {record.state}")
        else:
            mine = steps[delivery_id]
            faults = [*_faults_of(record, mine), *_early(record, mine)]
            overlaps, across_leases = _overlaps(record, mine, stock)
            excused += across_leases
            verdict.broken += [f"{delivery_id}: {fault}" for fault in (*faults, *overlaps)]
    states = Counter(record.state.value for record in records.values())
    starts = [sum(step.what == "start" for step in mine) for mine in steps.values()]
    verdict.figures = {
        "accepted": len(accepted),
        "in the ledger": len(records),
        "succeeded": states["succeeded"],
        "failed": states["failed"],
        "failed by crashes": sum(_is_failed_by_crashes(record) for record in records.values()),
        "of these not meant to": sum(
            _is_failed_by_crashes(record) and kind_of(record) not in CRASHING for record in records.values()
        ),
        "starts of crashing handlers each": _starts_of_crashing(records, steps),
        "handler starts per delivery (2 without a fault)": round(sum(starts) / max(1, len(starts)), 3),
        "most starts of one handler": max(
            (count for mine in steps.values() for count in _starts_by_handler(mine).values()), default=0
        ),
        "overlaps across a lost lease": excused,
        "runs lost with a worker": sum(
            one.ending is Ending.CRASHED for record in records.values() for one in record.history
        ),
        "worst time from kill to re-run, s": _worst_rerun_s(records, yard.killed, crashes=1),
        "the same for quarantined deliveries (one at a time), s": _worst_rerun_s(
            records, yard.killed, crashes=2
        ),
    }
    return verdict


def kind_of(record: Record) -> str:
    """Return what its handlers were to do."""
    kind: str = json.loads(record.delivery.body)["kind"]
    return kind


def _is_failed_by_crashes(record: Record) -> bool:
    return record.state is State.FAILED and "crashed" in (record.error or "")


def _faults_of(record: Record, steps: list[Step]) -> list[str]:
    """Return what is wrong with one finished delivery, its times left aside."""
    faults = []
    ended = {step.handler for step in steps if step.what == "end"}
    succeeded = set()
    for run in record.history:
        for attempt in run.attempts:
            if attempt.handler in succeeded:
                faults.append(f"{attempt.handler} had succeeded and ran again")
            if attempt.outcome is Outcome.SUCCEEDED:
                succeeded.add(attempt.handler)
    faults += [
        f"{handler} is said to have succeeded and never ran to its end"
        for handler in succeeded
        if _short(handler) not in ended
    ]
    kind, failed_by_crashes = kind_of(record), _is_failed_by_crashes(record)
    if failed_by_crashes and kind not in CRASHING:
        faults.append(f"failed by crashes and was not meant to ({kind}): {record.error}")
    if kind in CRASHING and not failed_by_crashes:
        faults.append(f"{kind} each time and is {record.state}: {record.error}")
    if kind == "hangs" and (record.state is not State.FAILED or "ran longer" not in (record.error or "")):
        faults.append(f"hangs each time and is {record.state}: {record.error}")
    handlers = HANDLERS[record.delivery.event]
    if record.state is State.SUCCEEDED and len(record.succeeded_handlers()) != handlers:
        faults.append(f"succeeded with {len(record.succeeded_handlers())} of {handlers} handlers")
    return faults


def _early(record: Record, steps: list[Step]) -> list[str]:
    """Return every start after the handler's success was recorded, and before its wait was over."""
    faults = []
    for run in record.history:
        for attempt in run.attempts:
            name = _short(attempt.handler)
            starts = [step for step in steps if step.what == "start" and step.handler == name]
            if attempt.outcome is Outcome.SUCCEEDED and run.ended_ms:
                faults += [
                    f"{name} started {step.at_ms - run.ended_ms} ms after its success was recorded"
                    for step in starts
                    if step.at_ms > run.ended_ms
                ]
            faults += [
                f"attempt {step.attempt} of {name} started {attempt.due_ms - step.at_ms} ms before it was due"
                for step in starts
                if attempt.due_ms and step.attempt == attempt.number + 1
                if step.at_ms < attempt.due_ms - _CLOCK_ERROR_MS
            ]
    return faults


def _overlaps(record: Record, steps: list[Step], stock: set[int]) -> tuple[list[str], int]:
    """Return every overlap of a handler with itself, and how many there were across a lost lease.

    A worker that is paused, or cut off from Redis, for longer than a lease cannot know that it has lost the
    delivery; it is in the record then. In stock arq's own process a thread that hangs cannot be ended.
    """
    faults, across_leases = [], 0
    lost = {_pid_of(run.worker) for run in record.history if run.ending is Ending.CRASHED}
    for step in steps:
        if step.what != "overlaps":
            continue
        host, worker = step.other
        if worker.isdigit() and int(worker) != step.worker and int(worker) in lost:
            across_leases += 1
        elif not (worker.isdigit() and int(worker) in stock and kind_of(record) == "hangs"):
            faults.append(
                f"{step.handler} started in process {step.pid} of worker {step.worker} while it still ran in "
                f"process {host} of worker {worker}"
            )
    return faults, across_leases


def _processes_of_stock_workers(yard: Yard) -> set[int]:
    return {pid for member in yard.members if member.name.startswith("stock") for pid in member.pids}


def _short(handler: str) -> str:
    return handler.rpartition(":")[2]


def _pid_of(worker: str) -> int:
    """Return the process id in a worker's name."""
    return int(worker.split("-")[-2]) if worker.count("-") >= 2 else 0


def _starts_by_handler(steps: list[Step]) -> Counter[str]:
    return Counter(step.handler for step in steps if step.what == "start")


def _starts_of_crashing(records: dict[str, Record], steps: dict[str, list[Step]]) -> str:
    """Return how often the crashing handlers were started, by kind, as ``exits 3-4``."""
    counts: dict[str, list[int]] = defaultdict(list)
    for name, record in records.items():
        if kind_of(record) in CRASHING:
            counts[kind_of(record)].append(_starts_by_handler(steps[name])["second"])
    return ", ".join(f"{kind} {min(each)}-{max(each)} ({len(each)})" for kind, each in sorted(counts.items()))


def _worst_rerun_s(records: dict[str, Record], killed: dict[int, int], *, crashes: int) -> float:
    """Return how long after its worker's kill, its *crashes*-th in a row, a delivery was claimed again."""
    waits = []
    for record in records.values():
        in_a_row = 0
        for run in record.history:
            in_a_row = in_a_row + 1 if run.ending is Ending.CRASHED else 0
            if in_a_row != crashes:
                continue
            pid = _pid_of(run.worker)
            if run.ending is Ending.CRASHED and pid in killed and run.ended_ms:
                waits.append((run.ended_ms - killed[pid]) / 1000)
    return max(waits, default=0.0)
