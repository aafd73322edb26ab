"""Lists, reports and counts for a terminal. Rule: pure.

Ids are never cut, so that they can be copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hookyard.cli.output import text
from hookyard.cli.output.safe import plain
from hookyard.ledger.records import FAILURES, FINISHED, Ending, Outcome, Record, State
from hookyard.ledger.times import ago, clock, span, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from hookyard.ledger.query import Page, Stats
    from hookyard.ledger.records import Attempt, Run

_EVENT: Final = 18
_FIXED: Final = len("23 h 59 min ago") + _EVENT + len("succeeded") + len("runs") + 6 * len("  ")
_ONE_LINE: Final = 40
"""With this many columns left for project, object and error, a delivery takes one line, else two."""

UNFINISHED: Final = frozenset(State) - FINISHED


def page(found: Page, *, now_ms: int, width: int) -> RenderableType:
    """Return a page of deliveries, newest first."""
    left = width - _FIXED - max((len(record.delivery.id) for record in found.records), default=0)
    many = _wide(found.records, now_ms, left) if left >= _ONE_LINE else _narrow(found.records, now_ms)
    if found.next_cursor is None:
        return many
    return Group(
        many,
        Text(
            f"\nFor older deliveries, repeat the command with:\n  --cursor {found.next_cursor}",
            style="bright_black",
        ),
    )


def empty_page(*, filtered: bool, total: int) -> Text:
    """Return what to do next, for an empty list."""
    if filtered and total:
        return Text(
            f"None of {text.deliveries(total)} matches. "
            "--event, --project, --handler and --error match any part of the text, in any case."
        )
    return Text(
        "No deliveries yet. Send one with: hookyard send issue-open\n"
        "or add a webhook in GitLab (Settings > Webhooks of a project) with the ingress's address as its URL."
    )


def _wide(records: Sequence[Record], now_ms: int, left: int) -> Table:
    """Return one line per delivery; *left* columns are for project, object and error."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bright_black")
    table.add_column("id", no_wrap=True)
    table.add_column("received", no_wrap=True)
    table.add_column("event", no_wrap=True, overflow="ellipsis", max_width=max(_EVENT, left // 8))
    table.add_column("project, object", no_wrap=True, overflow="ellipsis", max_width=left // 2)
    table.add_column("state", no_wrap=True)
    table.add_column("runs", no_wrap=True, justify="right")
    table.add_column("next, error", no_wrap=True, overflow="ellipsis", max_width=left - left // 2)
    for record in records:
        table.add_row(
            Text(record.delivery.id),
            text.received(record, now_ms=now_ms),
            Text(text.event(record.delivery)),
            Text(text.about(record.delivery)),
            text.state(record),
            str(record.runs),
            Text(text.next_or_error(record, now_ms=now_ms)),
        )
    return table


def _narrow(records: Sequence[Record], now_ms: int) -> Group:
    lines: list[Text] = []
    for record in records:
        head = Text(no_wrap=True, overflow="fold").append(record.delivery.id, style="bold").append("  ")
        head.append_text(text.state(record))
        head.append(f"  {text.received(record, now_ms=now_ms)}", style="bright_black")
        parts = [text.event(record.delivery), text.about(record.delivery)]
        parts += [text.runs(record.runs), text.next_or_error(record, now_ms=now_ms)]
        lines += [head, Text("  " + " · ".join(filter(None, parts)), no_wrap=True, overflow="ellipsis")]
    return Group(*lines)


def report(record: Record, *, now_ms: int, all_tracebacks: bool = False) -> Group:
    """Return everything about one delivery but its body, with the traceback of the last failure."""
    parts: list[RenderableType] = [
        Text(record.delivery.id, style="bold").append("  ").append_text(text.state(record)),
        _indented(_facts(record, now_ms)),
    ]
    shown = _last_failure(record) if not all_tracebacks else None
    for run in record.history:
        parts += [Text(""), _run_head(run, now_ms)]
        parts += [
            _indented(part)
            for attempt in run.attempts
            for part in _attempt(
                attempt,
                now_ms=now_ms,
                is_latest=run is record.history[-1],
                with_traceback=all_tracebacks or attempt is shown,
            )
        ]
        if not run.attempts and run.ending is not Ending.RUNNING:
            none = "is registered for this event" if record.state is State.IGNORED else "finished"
            parts.append(Text(f"  no handler {none}", style="bright_black"))
    parts += [Text(""), Text("What happens next", style="bold")]
    parts += [_indented(Text(line)) for line in text.next_steps(record, now_ms=now_ms)]
    return Group(*parts)


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _facts(record: Record, now_ms: int) -> Table:
    facts = record.delivery
    received = f"{clock(facts.received_ms)}, {ago(facts.received_ms, now_ms=now_ms)}"
    size = f"{len(facts.body):,} bytes" + (f", {facts.content_type}" if facts.content_type else "")
    rows = [
        ("event", facts.event),
        ("project", facts.project),
        ("object", facts.object),
        ("received", received),
        ("source", facts.source if facts.source != "default" else None),
        ("origin", facts.origin if facts.origin != "webhook" else None),
        ("parent", facts.parent),
        ("authenticated by", facts.authenticated_by),
        ("size", size if facts.body else "no body"),
        ("body", f"dropped {clock(record.dropped_ms)} to make room in Redis" if record.dropped_ms else None),
        ("runs", str(record.runs) + (f" (this round; {record.claims} in all)" if _rounds(record) else "")),
        ("quarantined", f"since {clock(record.quarantined_ms)}" if record.quarantined_ms else None),
        ("crashes", f"{record.crashes} worker(s) in a row" if record.crashes else None),
        ("finished", clock(record.finished_ms) if record.finished_ms else None),
        ("error", record.error),
        ("trace", facts.trace),
    ]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value:
            table.add_row(name, Text(text.one_line(value)))
    for position, (header, value) in enumerate(sorted(facts.headers.items())):
        table.add_row("headers" if position == 0 else "", Text(text.one_line(f"{header}: {value}")))
    return table


def _rounds(record: Record) -> bool:
    return record.claims > record.runs and record.round_from > 1


def _run_head(run: Run, now_ms: int) -> Text:
    ended_ms = run.ended_ms if run.ended_ms is not None else now_ms
    took = span(max(0, ended_ms - run.started_ms))
    head = Text(f"Run {run.number}", style="bold")
    head.append(f"  {clock(run.started_ms)}, {took}, {text.run_ending(run.ending)}", style="not bold")
    return head.append(f"\n  worker {text.one_line(run.worker)}", style="not bold bright_black")


def _attempt(attempt: Attempt, *, now_ms: int, is_latest: bool, with_traceback: bool) -> list[RenderableType]:
    mark, colour = text.OUTCOME_MARKS[attempt.outcome]
    line = Text(f"{mark} ", style=colour).append(text.one_line(attempt.handler), style="default")
    line.append(f"  {attempt.outcome.value}")
    line.append(f" after {span(attempt.took_ms)}", style="bright_black")
    if attempt.outcome is not Outcome.SUCCEEDED:
        follows = text.consequence(attempt, is_latest=is_latest, now_ms=now_ms)
        line.append(f"  (attempt {attempt.number}{', ' + follows if follows else ''})", style="bright_black")
    parts: list[RenderableType] = [line]
    if with_traceback and attempt.traceback:
        parts.append(_indented(Text(plain(attempt.traceback).rstrip(), style="red")))
    elif attempt.error:
        style = "red" if attempt.outcome in FAILURES else "bright_black"
        parts.append(_indented(Text(text.one_line(attempt.error), style=style)))
    if attempt.result is not None:
        parts.append(_indented(Text(f"returned {text.one_line(attempt.result)}", style="bright_black")))
    parts += [_indented(Text(f"enqueued {one}", style="bright_black")) for one in attempt.enqueued]
    return parts


def _last_failure(record: Record) -> Attempt | None:
    for run in reversed(record.history):
        for attempt in reversed(run.attempts):
            if attempt.outcome in FAILURES:
                return attempt
    return None


def stats(found: Stats) -> Group:
    """Return the counts by state, and how long the oldest delivery has been due."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for state, count in found.states.items():
        table.add_row(Text(state.value, style=text.COLOURS[state]), f"{count:,}")
    table.add_row(Text("total", style="bold"), Text(f"{found.total:,}", style="bold"))
    lines = _quarantined(found) if found.oldest_due_ms is None and found.quarantined else _waiting(found)
    return Group(table, Text(""), *(Text(line) for line in lines))


def _quarantined(found: Stats) -> list[str]:
    """Return what is said of the quarantine, whose deliveries are no part of the queue."""
    if not found.quarantined:
        return []
    return [f"Quarantined, because their worker died: {found.quarantined:,}. Each runs alone."]


def _waiting(found: Stats) -> list[str]:
    if found.oldest_due_ms is None or not any(found.states[state] for state in UNFINISHED):
        return ["No delivery is waiting."]  # the queue may hold housekeeping jobs
    waited_ms = found.now_ms - found.oldest_due_ms
    if waited_ms <= 0:
        what = "next lease ends or retry starts" if found.states[State.RUNNING] else "next retry starts"
        when = until(found.oldest_due_ms, now_ms=found.now_ms)
        return [f"No delivery is due; the {what} {when}.", *_quarantined(found)]
    lines = [f"The oldest waiting delivery has been due for {span(waited_ms)}."]
    if waited_ms > text.LONG_WAIT_MS:
        lines.append("If no worker is running, or all slots are taken, start another one: hookyard worker")
    return [*lines, *_quarantined(found)]


def answers(found: dict[str, str], meaning: dict[str, str]) -> Table:
    """Return the answer to an order for each delivery."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for delivery_id, answer in found.items():
        table.add_row(Text(text.one_line(delivery_id)), Text(meaning.get(answer, answer)))
    return table


def schedules(found: Iterable[tuple[str, str, int | None, int | None]], *, now_ms: int) -> Table:
    """Return schedules: of each its name, its times, its last tick and the next one (Unix ms)."""
    table = _list("schedule", "when", "last", "next")
    for name, times, last_ms, next_ms in found:
        table.add_row(
            Text(text.one_line(name)),
            Text(text.one_line(times)),
            Text(ago(last_ms, now_ms=now_ms) if last_ms is not None else "none yet"),
            Text(until(next_ms, now_ms=now_ms) if next_ms is not None else "never"),
        )
    return table


def breakers(found: Iterable[tuple[str, str, int]], *, now_ms: int) -> Table:
    """Return the loops that were stopped: of each its handler, its object and since when (Unix ms)."""
    table = _list("handler", "object", "stopped")
    for handler, about, since_ms in found:
        table.add_row(
            Text(text.one_line(handler)), Text(text.one_line(about)), Text(ago(since_ms, now_ms=now_ms))
        )
    return table


def hooks(found: Iterable[tuple[str, str, str]]) -> Table:
    """Return webhooks: of each where it is, whether GitLab calls it, and what is to be said of it."""
    table = _list("webhook", "status", "")
    for where, status, notes in found:
        style = "green" if status == "executable" else "yellow" if status == "on probation" else "bold red"
        table.add_row(Text(text.one_line(where)), Text(status, style=style), Text(text.one_line(notes)))
    return table


def missed(found: Iterable[tuple[str, str, str, int | None, str]], *, now_ms: int) -> Table:
    """Return what GitLab's log has: of each its fate, event, answer, time (Unix ms) and id."""
    table = _list("what", "event", "answer", "when", "delivery")
    for fate, event_name, status, at_ms, delivery_id in found:
        table.add_row(
            Text(fate, style="yellow" if fate in {"missed", "accepted, then lost"} else "bright_black"),
            Text(text.one_line(event_name)),
            Text(text.one_line(status)),
            Text(ago(at_ms, now_ms=now_ms) if at_ms is not None else "?"),
            Text(text.one_line(delivery_id)),
        )
    return table


def _list(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
