"""A regular expression that holds the interpreter lock for longer than a lease, beside the innocent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from hookyard.ledger.records import Outcome, State
from tests.chaos.settling import settle_and_judge
from tests.chaos.steps import read_steps
from tests.chaos.verdict import kind_of
from tests.chaos.yard import Yard
from tests.trials.defaults import defaults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.verdict import Verdict

SMALL: Final = ({"seconds": 5.0, "lease_s": 3.0},)
FULL: Final = ({"seconds": 25.0, "lease_s": 10.0},)
_INNOCENTS: Final = 20


async def run(directory: Path, *, seconds: float, lease_s: float) -> Verdict:
    """Hold the lock for about *seconds* in one of two workers, with all settings but the lease by default."""
    yard = Yard(directory, environment=defaults(lease_s=lease_s))
    yard.add_ingress()
    for _ in range(2):
        yard.add_worker()
    async with yard.running() as sender:
        await sender.send([{"kind": "regex", "seconds": seconds}], 1, name="regex")
        kinds = ("innocent", "plain innocent")
        innocents = [{"kind": kinds[number % 2], "seconds": 1} for number in range(_INNOCENTS)]
        await sender.send(innocents, 40)
        verdict, records = await settle_and_judge(yard, sender)
        steps = read_steps(directory / "runs.log")
        for name, record in records.items():
            starts = Counter(step.handler for step in steps[name] if step.what == "start")
            if kind_of(record) == "regex":
                outcomes = {attempt.outcome for run in record.history for attempt in run.attempts}
                if not outcomes <= {Outcome.SUCCEEDED, Outcome.TIMED_OUT, Outcome.INTERRUPTED}:
                    verdict.broken.append(f"the regex came to {outcomes}")
                held_ms = [step.at_ms for step in steps[name] if step.handler == "plain"]
                verdict.figures["the regex"] = record.state.value
                verdict.figures["the regex held the lock for, s"] = (held_ms[-1] - held_ms[0]) / 1000
                verdict.figures["starts of the regex"] = starts["plain"]
            elif record.state is not State.SUCCEEDED or set(starts.values()) != {1}:
                verdict.broken.append(f"{name} is innocent, is {record.state} and started {dict(starts)}")
        return verdict
