"""Pages that list: deliveries, failures, handlers, secrets in use, bulk orders, what was done."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from hookyard.console import charts, filters
from hookyard.console.access import Admin, Viewer
from hookyard.console.api.reading import MOST_HANDLERS, Given
from hookyard.console.pages.rendering import render
from hookyard.ledger import schedules
from hookyard.ledger.credentials import credentials_in_use
from hookyard.ledger.gates import tripped
from hookyard.ledger.query import Filter
from hookyard.ledger.search import FACETS, Found, parse_cursor

router = APIRouter()

LISTED: Final = 50
_MOST_NEW: Final = 50
_SHOWN_VALUES: Final = 200

Text = Annotated[str, Query(max_length=filters.LONGEST + 200)]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/deliveries")
async def deliveries(
    request: Request, _who: Viewer, given: Given, q: Text = "", cursor: Cursor = None
) -> Response:
    """List deliveries; a filter that cannot be read is told beside the search field, and finds nothing."""
    now_ms = await given.store.now_ms()
    fault, wanted, page, count = None, Filter(), Found(records=(), next_cursor=None), None
    try:
        wanted = filters.parse(q, now_ms=now_ms)
        page = await given.search.page(wanted, limit=LISTED, cursor=cursor)
        count = await given.search.count(wanted)
    except ValueError as exc:
        fault = str(exc)
    newest = page.records[0].delivery if page.records else None
    return render(
        request,
        "deliveries.html",
        now_ms=now_ms,
        q=q,
        fault=fault,
        wanted=wanted,
        page=page,
        count=count,
        cursor=cursor,
        next_page=_address(q, page.next_cursor),
        newest=None if cursor or fault else f"{newest.received_ms}:{newest.id}" if newest else "0:",
        known={facet: await given.search.values(facet, limit=_SHOWN_VALUES) for facet in FACETS},
        filters=list(filters.NAMES),
        key=secrets.token_hex(8),
        is_filtered=wanted != Filter(),
    )


@router.get("/deliveries/new")
async def new_deliveries(
    request: Request, _who: Viewer, given: Given, after: Annotated[str, Query(max_length=200)], q: Text = ""
) -> Response:
    """Say how many deliveries of a list have come since it was made."""
    place = parse_cursor(after)
    assert place is not None  # noqa: S101 - it is given
    wanted = filters.parse(q, now_ms=await given.store.now_ms())
    newer = replace(wanted, since_ms=max(wanted.since_ms or 0, place[0]))
    page = await given.search.page(newer, limit=_MOST_NEW)
    found = [one for one in page.records if (one.delivery.received_ms, one.delivery.id) > place]
    more = "+" if page.next_cursor is not None else ""
    return render(request, "new.html", count=len(found), more=more, after=after, q=q)


@router.get("/objects")
async def object_page(
    request: Request,
    _who: Viewer,
    given: Given,
    object: Annotated[str, Query(max_length=300)],  # noqa: A002 - the filter's name
    cursor: Cursor = None,
) -> Response:
    """Show what happened to one object: each delivery and what each handler did."""
    wanted = Filter(object=object)
    page = await given.search.page(wanted, limit=LISTED, cursor=cursor)
    next_page = f"/objects?{urlencode({'object': object, 'cursor': page.next_cursor or ''})}"
    return render(
        request,
        "object.html",
        now_ms=await given.store.now_ms(),
        object=object,
        page=page,
        next_page=next_page if page.next_cursor else None,
        cursor=cursor,
    )


@router.get("/failures")
async def failures(request: Request, _who: Viewer, given: Given) -> Response:
    """List the kinds of failure, those met last first."""
    now_ms = await given.store.now_ms()
    groups = await given.failures.latest(now_ms=now_ms)
    sparks = {
        group.fingerprint: charts.spark(group.days, f"{sum(group.days)} in 14 days") for group in groups
    }
    return render(
        request,
        "failures.html",
        now_ms=now_ms,
        groups=groups,
        sparks=sparks,
        total=await given.failures.total(),
    )


@router.get("/handlers")
async def handlers(
    request: Request, _who: Viewer, given: Given, hours: Annotated[int, Query(ge=1, le=192)] = 24
) -> Response:
    """List what handlers did in the last hours."""
    now_ms = await given.store.now_ms()
    found, picked_up = await given.rates.lengths(until_ms=now_ms, hours=hours)
    ordered = sorted(found.items(), key=lambda one: (-one[1].count, one[0]))
    return render(
        request,
        "handlers.html",
        now_ms=now_ms,
        hours=hours,
        handlers=ordered[:MOST_HANDLERS],
        more=max(0, len(ordered) - MOST_HANDLERS),
        picked_up=picked_up,
        schedules=await schedules.read_all(given.redis, given.keys),
        loops=await tripped(given.redis, given.keys),
    )


@router.get("/secrets")
async def credentials(request: Request, _who: Viewer, given: Given) -> Response:
    """List which credentials authenticate webhooks."""
    return render(
        request,
        "secrets.html",
        now_ms=await given.store.now_ms(),
        credentials=await credentials_in_use(given.redis, given.keys),
    )


@router.get("/orders")
async def orders(request: Request, _who: Viewer, given: Given) -> Response:
    """List the bulk orders given last."""
    return render(
        request, "orders.html", now_ms=await given.store.now_ms(), orders=await given.orders.latest()
    )


@router.get("/audit")
async def audit(
    request: Request,
    _who: Admin,
    given: Given,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,15}-\d{1,10}$")] = None,
) -> Response:
    """List who did what."""
    entries = await given.store.audited(limit=100, before=cursor)
    return render(
        request,
        "audit.html",
        now_ms=await given.store.now_ms(),
        entries=[entry for _, entry in entries],
        next_page=f"/audit?cursor={entries[-1][0]}" if len(entries) == 100 else None,  # noqa: PLR2004 - a full page
    )


def _address(q: str, cursor: str | None) -> str | None:
    return None if cursor is None else f"/deliveries?{urlencode({'q': q, 'cursor': cursor})}"
