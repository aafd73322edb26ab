"""Routes of the API that read."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from hookyard.console import filters
from hookyard.console.access import Admin, Viewer, services
from hookyard.console.actions import find
from hookyard.console.answers import Conflict, NotThere, documented
from hookyard.console.api import schemas
from hookyard.console.changes import TooManyFollowers
from hookyard.console.pytest_case import pytest_case
from hookyard.console.redaction import redact
from hookyard.console.services import Services
from hookyard.ledger import documents as ledger_documents
from hookyard.ledger.credentials import credentials_in_use
from hookyard.ledger.documents import StatsDocument, WholeDeliveryDocument
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Outcome, State
from hookyard.ledger.search import FACETS
from hookyard.ledger.times import iso

router = APIRouter()

MOST_LISTED: Final = 200
MOST_HANDLERS: Final = 500
_KEEP_ALIVE: Final = 15

Given = Annotated[Services, Depends(services)]
DeliveryId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$")]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="At most so many.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]


async def read_filter(
    given: Given,
    q: Annotated[
        str | None, Query(max_length=filters.LONGEST, description="A filter as pages have it.")
    ] = None,
    state: Annotated[State | None, Query()] = None,
    event: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    project: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    object: Annotated[  # noqa: A002 - the filter's name
        str | None, Query(min_length=1, max_length=300, description="`group/app!12`, or `!12`.")
    ] = None,
    handler: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    outcome: Annotated[Outcome | None, Query(description="Of a handler's latest attempt.")] = None,
    error: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    fingerprint: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$")] = None,
    source: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    origin: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    since: Annotated[
        str | None, Query(max_length=40, description="`15m`, `2h`, `3d` ago, or ISO 8601.")
    ] = None,
    until: Annotated[str | None, Query(max_length=40)] = None,
    text: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
) -> Filter:
    """Return the filter of a query; either ``q`` or the others."""
    named = {
        "state": state,
        "event": event,
        "project": project,
        "object": object,
        "handler": handler,
        "outcome": outcome,
        "error": error,
        "fingerprint": fingerprint,
        "source": source,
        "origin": origin,
        "since": since,
        "until": until,
        "text": text,
    }
    now_ms = await given.store.now_ms()
    if q is None:
        return filters.make(**named, now_ms=now_ms)
    if any(value is not None for value in named.values()):
        raise filters.FilterError("give either q or other filters")
    return filters.parse(q, now_ms=now_ms)


Wanted = Annotated[Filter, Depends(read_filter)]


@router.get("/deliveries", responses=documented(422))
async def list_deliveries(
    _who: Viewer, given: Given, wanted: Wanted, limit: Limit = 50, cursor: Cursor = None
) -> schemas.FoundDocument:
    """List deliveries, newest first."""
    try:
        page = await given.search.page(wanted, limit=limit, cursor=cursor)
    except ValueError as exc:
        raise filters.FilterError(f"cursor: {exc}") from None
    return schemas.found(page, await given.search.count(wanted))


@router.get("/deliveries/{delivery_id}", responses=documented(404, 409, 422))
async def show_delivery(_who: Viewer, given: Given, delivery_id: DeliveryId) -> WholeDeliveryDocument:
    """Show one delivery with its runs and attempts, without its body."""
    return ledger_documents.whole_delivery(await find(given, delivery_id))


@router.get(
    "/deliveries/{delivery_id}/case",
    response_class=PlainTextResponse,
    responses=documented(404, 409, 422),
)
async def export_case(_who: Viewer, given: Given, delivery_id: DeliveryId) -> Response:
    """Export a delivery as a pytest case for the bot, without secrets, addresses and names of people."""
    record = await find(given, delivery_id)
    if record.dropped_ms is not None:
        raise NotThere(f"The body of {delivery_id} was dropped to make room.")
    try:
        text = await asyncio.to_thread(pytest_case, record)
    except ValueError as exc:
        raise Conflict(f"It cannot be exported: {exc}") from None
    name = f"test_{re.sub('[^a-z0-9]+', '_', delivery_id.lower())[:40]}.py"
    return PlainTextResponse(text, headers={"content-disposition": f'attachment; filename="{name}"'})


@router.get(
    "/deliveries/{delivery_id}/body",
    response_class=Response,
    responses={
        **documented(404, 409, 422),
        200: {"description": "The body.", "content": {"application/octet-stream": {}}},
    },
)
async def read_body(who: Viewer, given: Given, delivery_id: DeliveryId) -> Response:
    """Read a body: as it was received where your role has `+bodies`, redacted otherwise."""
    record = await find(given, delivery_id)
    if record.dropped_ms is not None:
        raise NotThere(f"The body of {delivery_id} was dropped to make room.")
    body = record.delivery.body
    if not who.reads_bodies:
        body = await asyncio.to_thread(redact, body)
    return Response(
        body,
        media_type="application/octet-stream",
        headers={
            "content-disposition": f'attachment; filename="{delivery_id}.json"',
            "content-security-policy": "sandbox; default-src 'none'",
            "x-hookyard-redacted": "false" if who.reads_bodies else "true",
        },
    )


@router.get("/stats", responses=documented())
async def show_stats(_who: Viewer, given: Given) -> StatsDocument:
    """Count deliveries by state."""
    return ledger_documents.stats(await given.listing.stats())


@router.get("/rates", responses=documented(422))
async def show_rates(
    _who: Viewer,
    given: Given,
    minutes_each: Annotated[int, Query(ge=1, le=720)] = 1,
    intervals: Annotated[int, Query(ge=1, le=240)] = 60,
) -> schemas.RatesDocument:
    """Tell what happened in each interval; kept for eight days."""
    series = await given.rates.series(
        until_ms=await given.store.now_ms(), intervals=intervals, minutes_each=minutes_each
    )
    return {"minutes_each": minutes_each, "intervals": [schemas.interval(one) for one in series]}


@router.get("/failures", responses=documented(422))
async def list_failures(_who: Viewer, given: Given, limit: Limit = 50) -> schemas.FailuresDocument:
    """List the kinds of failure met last."""
    groups = await given.failures.latest(now_ms=await given.store.now_ms(), limit=limit)
    return {
        "failures": [schemas.failure(group) for group in groups],
        "total": await given.failures.total(),
    }


@router.get("/failures/{fingerprint}", responses=documented(404, 422))
async def show_failure(
    _who: Viewer, given: Given, fingerprint: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
) -> schemas.FailureDocument:
    """Show one kind of failure; `/deliveries?fingerprint=…` lists what failed so."""
    group = await given.failures.get(fingerprint, now_ms=await given.store.now_ms())
    if group is None:
        raise NotThere(f"No failure {fingerprint} was met in the last 90 days.")
    return schemas.failure(group)


@router.get("/handlers", responses=documented(422))
async def list_handlers(
    _who: Viewer, given: Given, hours: Annotated[int, Query(ge=1, le=192)] = 24
) -> schemas.HandlersDocument:
    """List the handlers that ran in the last hours, those with most attempts first."""
    handlers, _ = await given.rates.lengths(until_ms=await given.store.now_ms(), hours=hours)
    ordered = sorted(handlers.items(), key=lambda one: (-one[1].count, one[0]))
    return {
        "hours": hours,
        "handlers": [schemas.handler(name, lengths) for name, lengths in ordered[:MOST_HANDLERS]],
        "more": max(0, len(ordered) - MOST_HANDLERS),
    }


@router.get("/credentials", responses=documented())
async def list_credentials(_who: Viewer, given: Given) -> schemas.CredentialsDocument:
    """List which secret or signing token authenticated how many deliveries, and when last."""
    found = await credentials_in_use(given.redis, given.keys)
    return {
        "credentials": [
            {
                "source": one.source,
                "credential": one.credential,
                "deliveries": one.deliveries,
                "last": iso(one.last_ms),
            }
            for one in found
        ]
    }


@router.get("/values/{facet}", responses=documented(422))
async def list_values(
    _who: Viewer,
    given: Given,
    facet: Literal["event", "project", "handler"],
    text: Annotated[str, Query(max_length=300)] = "",
    limit: Limit = 50,
) -> schemas.ValuesDocument:
    """List known values of a filter, for completion."""
    assert facet in FACETS  # noqa: S101 - the type says the same
    return {"values": await given.search.values(facet, text, limit=limit)}


@router.get("/audit", responses=documented(422))
async def list_audit(
    _who: Admin,
    given: Given,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,15}-\d{1,10}$")] = None,
) -> schemas.AuditedDocument:
    """List what people and programs did, the latest first."""
    entries = await given.store.audited(limit=limit, before=cursor)
    return {
        "entries": [schemas.audited(entry) for _, entry in entries],
        "next_cursor": entries[-1][0] if len(entries) == limit else None,
    }


@router.get("/me", responses=documented())
async def show_me(who: Viewer) -> schemas.MeDocument:
    """Show whom your token belongs to."""
    return {"name": who.name, "role": who.role.word, "reads_bodies": who.reads_bodies}  # type: ignore[typeddict-item]


@router.get(
    "/changes",
    response_class=StreamingResponse,
    responses={
        **documented(),
        200: {
            "description": "Server-sent events `change`: what was accepted and what finished.",
            "content": {"text/event-stream": {}},
        },
    },
)
async def follow_changes(_who: Viewer, given: Given) -> StreamingResponse:
    """Follow what changes: an event for each second in which something did."""
    return event_stream(given)


def event_stream(given: Services) -> StreamingResponse:
    """Return a stream of changes as server-sent events.

    :raises TooManyFollowers: when as many follow as may.
    """
    if given.changes.is_full:
        raise TooManyFollowers
    return StreamingResponse(
        _events(given), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _events(given: Services) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    quiet = 0
    async with aclosing(given.changes.follow()) as changes:
        async for change in changes:
            quiet = 0 if change else quiet + 1
            if change:
                yield f"event: change\ndata: {json.dumps(change)}\n\n"
            elif quiet % _KEEP_ALIVE == 0:
                yield ": quiet\n\n"
