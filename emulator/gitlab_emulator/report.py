"""The output of `send`: a line for each delivery, a summary of many. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitlab_emulator.hooks.redaction import without_userinfo
from gitlab_emulator.hooks.sending import TIMEOUT_S, Answered, Broken, Refused, Sent, TimedOut, Unsendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitlab_emulator.load import Plan
    from gitlab_emulator.load_statistics import Summary
    from gitlab_emulator.outgoing import Outgoing

NOTICEABLY_LATE_MS = 250


def why_no_answer(sent: Sent, url: str) -> str | None:
    """Return a sentence for a delivery that got no answer; None for one that did."""
    url = without_userinfo(url)
    match sent.ending:
        case Answered():
            return None
        case Refused():
            return f"connection refused by {url}: start the receiver, or give its address with --url"
        case TimedOut():
            return f"no answer from {url} within {TIMEOUT_S:.0f} s: GitLab gives up then and does not retry"
        case Unsendable(why=why):
            return f"cannot be sent: {why}"
        case Broken(why=why):
            return f"the request to {url} failed: {why}"


def line(outgoing: Outgoing, delivery_id: str, sent: Sent, url: str) -> str:
    """Return `issue-open  3f6c…  202  12 ms  http://127.0.0.1:8000/`, or why there was no answer."""
    if isinstance(sent.ending, Answered):
        took = f"{sent.ending.status}  {sent.duration_ms} ms"
        return f"{outgoing.name}  {delivery_id}  {took}  {without_userinfo(url)}"
    return f"{outgoing.name}  {delivery_id}  {why_no_answer(sent, url)}"


def as_json(outgoing: Outgoing, delivery_id: str, sent: Sent, url: str) -> str:
    """Return the same as JSON: name, event, id, url, status (null without an answer), ms, ok, error."""
    ending = sent.ending
    return json.dumps(
        {
            "name": outgoing.name,
            "event": outgoing.event,
            "id": delivery_id,
            "url": without_userinfo(url),
            "status": ending.status if isinstance(ending, Answered) else None,
            "ms": sent.duration_ms,
            "ok": sent.ok,
            "error": why_no_answer(sent, url),
        }
    )


def summary(run: Summary, plan: Plan) -> str:
    """Return a few lines about the load, which ran as planned or in part."""
    begun = f"{run.sent:,}" if run.sent == plan.count else f"{run.sent:,} of {plan.count:,}"
    rate = plan.rate
    asked = "" if rate is None else f", asked for {rate:g}/s"
    reached = "" if run.rate is None else f": {run.rate:,.1f}/s{asked}"
    rows = {"sent": f"{begun} in {run.duration_s:,.1f} s{reached}", "to": without_userinfo(plan.url)}
    if run.by_status:
        rows["answered"] = _counts(run.by_status)
    if run.failures:
        rows["no answer"] = _counts(run.failures)
    if run.under_way:
        rows["cut off"] = f"{run.under_way:,} still outstanding"
    if run.latency_ms:
        rows["latency"] = "   ".join(f"{name} {ms:,} ms" for name, ms in run.latency_ms.items())
    if rate is not None and run.late_ms >= NOTICEABLY_LATE_MS:
        late_s = run.late_ms / 1000
        rows["late"] = f"up to {late_s:,.1f} s: too slow for {rate:g}/s with {plan.at_once} outstanding"
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows.items())


def summary_as_json(run: Summary) -> str:
    """Return the same as JSON."""
    return json.dumps(run.as_json())


def _counts(counts: Mapping[str, int]) -> str:
    return "   ".join(f"{what}: {number:,}" for what, number in counts.items())
