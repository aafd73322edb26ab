"""The overview: is it healthy? And the stream that live parts of pages listen to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from redis.exceptions import ResponseError

from hookyard.console import charts
from hookyard.console.access import Viewer
from hookyard.console.api.reading import Given, event_stream
from hookyard.console.pages.rendering import render
from hookyard.console.services import Services
from hookyard.ledger.heartbeats import alive
from hookyard.ledger.rates import Interval
from hookyard.ledger.records import FINISHED

router = APIRouter()

SPANS: Final = {"hour": (60, 1), "day": (96, 15), "week": (84, 120)}
"""Charts by name: how many bars, and the minutes of each."""

_OUT: Final = ("succeeded", "ignored", "waiting", "retrying", "failed")
_LATE_MS: Final = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """Something that an operator should know; ``href`` leads to more."""

    text: str
    is_bad: bool
    href: str | None = None


@router.get("/")
async def overview(
    request: Request,
    _who: Viewer,
    given: Given,
    span: Annotated[Literal["hour", "day", "week"], Query()] = "hour",
) -> Response:
    """Show how the ledger stands."""
    now_ms = await given.store.now_ms()
    bars, minutes = SPANS[span]
    stats = await given.listing.stats()
    workers = await alive(given.redis, given.keys)
    series = await given.rates.series(until_ms=now_ms, intervals=bars, minutes_each=minutes)
    recent = await given.rates.series(until_ms=now_ms, intervals=6, minutes_each=1)
    handlers, picked_up = await given.rates.lengths(until_ms=now_ms, hours=2)
    handled = sorted(handlers.items(), key=lambda one: -one[1].count)
    memory = await _memory(given)
    unfinished = {state: count for state, count in stats.states.items() if state not in FINISHED}
    waits_ms = now_ms - stats.oldest_due_ms if stats.oldest_due_ms and any(unfinished.values()) else 0
    return render(
        request,
        "overview.html",
        now_ms=now_ms,
        stats=stats,
        waits_ms=max(0, waits_ms),
        workers=workers,
        worker_count=len(workers),
        badges=_badges(stats.quarantined, waits_ms, workers, memory),
        span=span,
        spans=SPANS,
        chart=_chart(series, minutes),
        legend=[(name, sum(one.counts[name] for one in series)) for name in ("accepted", *_OUT)],
        top=charts.nice_top(max((sum(one.counts[name] for name in _OUT) for one in series), default=0)),
        per_minute={
            name: sum(one.counts[name] for one in recent[:-1]) / 5
            for name in ("accepted", "succeeded", "failed")
        },
        picked_up=picked_up,
        handled=handled[:8],
        memory=memory,
        groups=await given.failures.latest(now_ms=now_ms, limit=5),
    )


@router.get("/live")
async def live(_who: Viewer, given: Given) -> Response:
    """Stream what changes, for the live parts of pages."""
    return event_stream(given)


def _chart(series: list[Interval], minutes: int) -> str:
    pattern = "%H:%M" if minutes == 1 else "%a %H:%M"
    starts = [datetime.fromtimestamp(one.from_ms / 1000, UTC).strftime(pattern) + " UTC" for one in series]
    stacked = [charts.Series(name, name, [one.counts[name] for one in series]) for name in _OUT]
    return charts.bars("Deliveries that finished or wait for a retry", starts, stacked)


def _badges(quarantined: int, waits_ms: int, workers: list[str], memory: dict[str, Any]) -> list[Badge]:
    badges = []
    if not workers:
        badges.append(Badge(text="no worker is alive", is_bad=True))
    if waits_ms > _LATE_MS:
        badges.append(
            Badge(text="deliveries are due and not picked up", is_bad=True, href="/deliveries?q=state:queued")
        )
    if quarantined:
        badges.append(
            Badge(text=f"{quarantined} in quarantine", is_bad=False, href="/deliveries?q=state:queued")
        )
    if memory.get("is_persistent") is False:
        badges.append(Badge(text="Redis keeps nothing on disk", is_bad=True))
    if memory.get("share", 0) > 0.9:  # noqa: PLR2004 - nine tenths
        badges.append(Badge(text="Redis is nearly full", is_bad=True))
    return badges


async def _memory(given: Services) -> dict[str, Any]:
    """Return how Redis stands, as far as it tells."""
    try:
        info: dict[str, Any] = await given.redis.info()
    except ResponseError:  # INFO may be refused (managed Redis, ACL)
        return {}
    used, most = info.get("used_memory"), info.get("maxmemory") or None
    return {
        "used": used,
        "most": most,
        "share": used / most if used and most else 0,
        "version": info.get("valkey_version") or info.get("redis_version"),
        "is_persistent": bool(info.get("aof_enabled")) if "aof_enabled" in info else None,
    }
