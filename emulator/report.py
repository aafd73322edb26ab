"""How `send` tells what became of a delivery: one line, or one JSON object. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from emulator.samples.catalogue import SAMPLES
from emulator.sending import TIMEOUT_S, Answered, Broken, Refused, Sent, TimedOut, Unsendable

if TYPE_CHECKING:
    from emulator.outgoing import Outgoing


def why_no_answer(sent: Sent, url: str) -> str | None:
    """A plain sentence for a delivery that got no answer; None for one that did."""
    match sent.ending:
        case Answered():
            return None
        case Refused():
            return f"nobody listens at {url}: start the receiver, or give its address with --url"
        case TimedOut():
            return (
                f"no answer from {url} within {TIMEOUT_S:.0f} s: GitLab gives up then, and does not try again"
            )
        case Unsendable(why=why):
            return f"cannot be sent: {why}"
        case Broken(why=why):
            return f"the call of {url} failed: {why}"


def line(outgoing: Outgoing, delivery_id: str, sent: Sent, url: str) -> str:
    """`issue-open  3f6c…  202  12 ms`, or why there was no answer."""
    if isinstance(sent.ending, Answered):
        return f"{outgoing.name}  {delivery_id}  {sent.ending.status}  {sent.duration_ms} ms"
    return f"{outgoing.name}  {delivery_id}  {why_no_answer(sent, url)}"


def as_json(outgoing: Outgoing, delivery_id: str, sent: Sent, url: str) -> str:
    """The same for programs: name, event, id, url, status (null without an answer), ms, ok, error."""
    ending = sent.ending
    return json.dumps(
        {
            "name": outgoing.name,
            "event": outgoing.event,
            "id": delivery_id,
            "url": url,
            "status": ending.status if isinstance(ending, Answered) else None,
            "ms": sent.duration_ms,
            "ok": sent.ok,
            "error": why_no_answer(sent, url),
        }
    )


def listing() -> str:
    """All samples: name, event header, what happens."""
    rows = [(name, sample.event, sample.summary) for name, sample in SAMPLES.items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {event:<{widths[1]}}  {text}" for name, event, text in rows)


def listing_as_json() -> str:
    """The same for programs."""
    rows = [{"name": n, "event": one.event, "summary": one.summary} for n, one in SAMPLES.items()]
    return json.dumps(rows)
