"""Pages of one thing: a delivery with its runs and its body, a kind of failure, a bulk order."""

from __future__ import annotations

import asyncio
import json
import secrets
import shlex
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response

from hookyard.console import charts
from hookyard.console.access import Viewer
from hookyard.console.actions import find
from hookyard.console.answers import NotThere
from hookyard.console.api.acting import OrderId
from hookyard.console.api.reading import DeliveryId, Given
from hookyard.console.pages.rendering import render
from hookyard.console.redaction import redact
from hookyard.ledger.fingerprints import frames
from hookyard.ledger.query import Filter
from hookyard.ledger.records import FINISHED, Record

router = APIRouter()

SHOWN_BYTES: Final = 200_000
"""So much of a body is shown on its page; the whole is a download."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownBody:
    """A body as its page shows it."""

    text: str
    is_cut: bool
    is_json: bool
    links: tuple[tuple[str, str], ...]


@router.get("/deliveries/{delivery_id}")
async def delivery(request: Request, who: Viewer, given: Given, delivery_id: DeliveryId) -> Response:
    """Show one delivery."""
    record = await find(given, delivery_id)
    body = await asyncio.to_thread(_shown, record, redacted=not who.reads_bodies)
    return render(
        request,
        "delivery.html",
        now_ms=await given.store.now_ms(),
        record=record,
        facts=record.delivery,
        standings=record.standings(),
        runs=list(reversed(record.history)),
        own_frames={
            attempt.traceback: [frame for frame in frames(attempt.traceback) if frame.is_own]
            for run in record.history
            for attempt in run.attempts
            if attempt.traceback
        },
        body=body,
        shell=_commands(record),
        can_replay=record.dropped_ms is None,
        has_failed=any(not one.final or one.outcome != "succeeded" for one in record.standings().values()),
        is_finished=record.state in FINISHED,
        key=secrets.token_hex(8),
    )


@router.get("/failures/{fingerprint}")
async def failure(
    request: Request, _who: Viewer, given: Given, fingerprint: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
) -> Response:
    """Show one kind of failure, its latest traceback and where it stands."""
    now_ms = await given.store.now_ms()
    group = await given.failures.get(fingerprint, now_ms=now_ms)
    if group is None:
        raise NotThere("No failure of this kind was met in the last 90 days.")
    page = await given.search.page(Filter(fingerprint=fingerprint), limit=20)
    attempt = None
    if page.records:
        whole = await given.listing.get(page.records[0].delivery.id)
        attempts = [one for run in whole.history for one in run.attempts] if whole else []
        attempt = next((one for one in reversed(attempts) if one.fingerprint == fingerprint), None)
    return render(
        request,
        "failure.html",
        now_ms=now_ms,
        group=group,
        page=page,
        attempt=attempt,
        own=[frame for frame in frames(attempt.traceback) if frame.is_own]
        if attempt and attempt.traceback
        else [],
        spark=charts.spark(group.days, f"{sum(group.days)} in 14 days"),
        key=secrets.token_hex(8),
    )


@router.get("/orders/{order_id}")
async def order(request: Request, _who: Viewer, given: Given, order_id: OrderId) -> Response:
    """Show one bulk order."""
    found = await given.orders.get(order_id)
    if found is None:
        raise NotThere(f"There is no order {order_id}. Orders are kept for 30 days.")
    return render(request, "order.html", now_ms=await given.store.now_ms(), order=found)


def _shown(record: Record, *, redacted: bool) -> ShownBody | None:
    """Return a body laid out, bounded; of a large one not all is laid out."""
    if record.dropped_ms is not None:
        return None
    body = record.delivery.body
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if redacted:
        body = redact(body)
    is_json = data is not None
    if is_json and len(body) <= SHOWN_BYTES:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    else:
        text = body[: SHOWN_BYTES + 1].decode(errors="replace")
    return ShownBody(
        text=text[:SHOWN_BYTES],
        is_cut=len(text) > SHOWN_BYTES or len(body) > SHOWN_BYTES,
        is_json=is_json,
        links=_links(data),
    )


def _links(data: Any) -> tuple[tuple[str, str], ...]:
    """Return links into GitLab, as far as the body has any."""
    if not isinstance(data, dict):
        return ()
    found = []
    for name, part, field in (
        ("project", "project", "web_url"),
        ("object", "object_attributes", "url"),
        ("commit", "commit", "url"),
    ):
        inside = data.get(part)
        address = inside.get(field) if isinstance(inside, dict) else None
        if isinstance(address, str) and _is_web(address):
            found.append((name, address))
    return tuple(found)


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _commands(record: Record) -> list[tuple[str, str]]:
    """Return what to type for this delivery in a shell."""
    facts = record.delivery
    one = facts.id
    send = f"hookyard send --file body.json --event {shlex.quote(facts.event)}"
    headers = [
        "--header 'Content-Type: application/json'",
        f"--header {shlex.quote(f'X-Gitlab-Event: {facts.event}')}",
        '--header "X-Gitlab-Token: $GL_SECRET"',
    ]
    return [
        ("Show it", f"hookyard show {one} --traceback"),
        ("Run it again", f"hookyard replay {one}"),
        ("Send it anew", f"hookyard show {one} --body > body.json && {send}"),
        ("With curl", f"curl --data @body.json {' '.join(headers)} http://127.0.0.1:8000/"),
    ]
