"""How `send` tells what became of its deliveries: of one in a line, of many in a summary. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitlab_emulator.hooks.sending import TIMEOUT_S, Answered, Broken, Refused, Sent, TimedOut, Unsendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitlab_emulator.load_statistics import Summary
    from gitlab_emulator.outgoing import Outgoing

NOTICEABLY_LATE_MS = 250


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


def summary(run: Summary, *, count: int, rate: float | None, at_once: int) -> str:
    """The numbers of a run in a few lines; `count` deliveries were wanted, at `rate` per second."""
    begun = f"{run.sent:,}" if run.sent == count else f"{run.sent:,} of {count:,}"
    asked = "" if rate is None else f", asked for {rate:g}/s"
    reached = "" if run.rate is None else f": {run.rate:,.1f}/s{asked}"
    rows = {"sent": f"{begun} in {run.duration_s:,.1f} s{reached}"}
    if run.by_status:
        rows["answered"] = _counts(run.by_status)
    if run.failures:
        rows["no answer"] = _counts(run.failures)
    if run.under_way:
        rows["cut off"] = f"{run.under_way:,} that were still under way"
    if run.latency_ms:
        rows["latency"] = "   ".join(f"{name} {ms:,} ms" for name, ms in run.latency_ms.items())
    if rate is not None and run.late_ms >= NOTICEABLY_LATE_MS:
        late_s = run.late_ms / 1000
        rows["late"] = f"up to {late_s:,.1f} s: not fast enough for {rate:g}/s with {at_once} at once"
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows.items())


def summary_as_json(run: Summary) -> str:
    """The same for programs."""
    return json.dumps(run.as_json())


def _counts(counts: Mapping[str, int]) -> str:
    return "   ".join(f"{what}: {number:,}" for what, number in counts.items())
