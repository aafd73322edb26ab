"""A delivery's story in a few lines, for a test that fails.

``hookyard show`` tells more, to operators, whose delivery is still there afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookyard.cli.output.text import about, one_line, plain, tries
from hookyard.cli.output.times import span
from hookyard.ledger.records import Ending, Result, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlab_emulator.calls import RecordedCall

    from hookyard.ledger.records import Outcome, Record, Try


def story(record: Record, calls: Sequence[RecordedCall]) -> str:
    """Return every try of every handler, the last failure's traceback, and the API calls."""
    facts = record.delivery
    of_what = f" ({what})" if (what := about(facts)) else ""
    lines = [f"{one_line(facts.event)}{of_what}: {record.state}, {tries(record.tries)}, delivery {facts.id}"]
    for one_try in record.history:
        lines += _of_try(one_try, record.state)
    if failure := last_failure(record):
        lines += ["", *plain(failure.traceback or "").splitlines()]
    lines += ["", "Calls to GitLab", *(_call(call) for call in calls)]
    return "\n".join(lines if calls else [*lines, "  none"])


def last_failure(record: Record) -> Outcome | None:
    """Return the newest outcome that has a traceback."""
    outcomes = (outcome for one_try in reversed(record.history) for outcome in reversed(one_try.outcomes))
    return next((outcome for outcome in outcomes if outcome.traceback), None)


def _of_try(one_try: Try, state: State) -> Iterable[str]:
    texts = [_outcome(outcome) for outcome in one_try.outcomes]
    if one_try.ending is not Ending.SETTLED:
        texts.append(one_try.ending.value)
    elif not texts:
        texts.append("no handler wants such an event" if state is State.IGNORED else "no handler ran")
    for place, text in enumerate(texts):
        yield f"  {f'try {one_try.number}' if place == 0 else '':8}{text}"


def _outcome(outcome: Outcome) -> str:
    text = f"{one_line(outcome.handler)} {outcome.result} after {span(outcome.took_ms)}"
    if outcome.result is not Result.SUCCEEDED:
        text += f": {one_line(outcome.error or '')}"
    if outcome.due_ms is not None:
        wait_ms = max(0, outcome.due_ms - outcome.started_ms - outcome.took_ms)
        text += f"; again after {span(wait_ms)}"
    return text


def _call(call: RecordedCall) -> str:
    query = f"?{call.query}" if call.query else ""
    return f"  {call.method} {call.path}{query}  {call.status}{' (by order)' if call.by_fault else ''}"
