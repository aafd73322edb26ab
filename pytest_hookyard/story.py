"""A delivery's story in a few lines, for a test that fails.

``hookyard show`` tells more, to operators, whose delivery is still there afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookyard.cli.output.safe import plain
from hookyard.cli.output.text import about, one_line, runs
from hookyard.ledger.records import Ending, Outcome, State
from hookyard.ledger.times import span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlab_emulator.calls import RecordedCall

    from hookyard.ledger.records import Attempt, Record, Run


def story(record: Record, calls: Sequence[RecordedCall]) -> str:
    """Return every try of every handler, the last failure's traceback, and the API calls."""
    facts = record.delivery
    of_what = f" ({what})" if (what := about(facts)) else ""
    lines = [f"{one_line(facts.event)}{of_what}: {record.state}, {runs(record.runs)}, delivery {facts.id}"]
    for run in record.history:
        lines += _of_run(run, record.state)
    if failure := last_failure(record):
        lines += ["", *plain(failure.traceback or "").splitlines()]
    lines += ["", "Calls to GitLab", *(_call(call) for call in calls)]
    return "\n".join(lines if calls else [*lines, "  none"])


def last_failure(record: Record) -> Attempt | None:
    """Return the newest attempt that has a traceback."""
    attempts = (attempt for run in reversed(record.history) for attempt in reversed(run.attempts))
    return next((attempt for attempt in attempts if attempt.traceback), None)


def _of_run(run: Run, state: State) -> Iterable[str]:
    texts = [_attempt_(attempt) for attempt in run.attempts]
    if run.ending is not Ending.SETTLED:
        texts.append(run.ending.value)
    elif not texts:
        texts.append("no handler wants such an event" if state is State.IGNORED else "no handler ran")
    for place, text in enumerate(texts):
        yield f"  {f'try {run.number}' if place == 0 else '':8}{text}"


def _attempt_(attempt: Attempt) -> str:
    text = f"{one_line(attempt.handler)} {attempt.outcome} after {span(attempt.took_ms)}"
    if attempt.outcome is not Outcome.SUCCEEDED:
        text += f": {one_line(attempt.error or '')}"
    if attempt.due_ms is not None:
        wait_ms = max(0, attempt.due_ms - attempt.started_ms - attempt.took_ms)
        text += f"; again after {span(wait_ms)}"
    return text


def _call(call: RecordedCall) -> str:
    query = f"?{call.query}" if call.query else ""
    return f"  {call.method} {call.path}{query}  {call.status}{' (by order)' if call.by_fault else ''}"
