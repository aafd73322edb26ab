"""The times of a schedule, from its cron expression and its time zone. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from hookyard.ledger.records import Delivery
from hookyard.settings.source_names import DEFAULT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hookyard.host.messages import ScheduleInfo

_FEW: Final = 100


def schedule_fault(schedule: ScheduleInfo) -> str | None:
    """Return why a schedule has no times."""
    try:
        zone = ZoneInfo(schedule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"its schedule's time zone {schedule.timezone!r} is not known; say, Europe/Stockholm"
    try:
        next(CronSim(schedule.cron, datetime.now(zone)))
    except CronSimError as exc:
        return f"its schedule {schedule.cron!r} cannot be read ({exc}); say, '0 6 * * 1-5'"
    except StopIteration:
        return f"its schedule {schedule.cron!r} never comes"
    return None


def ticks(schedule: ScheduleInfo, after_ms: int, until_ms: int) -> list[int]:
    """Return the times of a schedule after the one, up to the other: Unix ms, the latest hundred."""
    found: list[int] = []
    for at in _times(schedule, after_ms):
        if at > until_ms:
            break
        found.append(at)
        if len(found) > _FEW:
            del found[0]
    return found


def next_tick(schedule: ScheduleInfo, after_ms: int) -> int | None:
    """Return the first time of a schedule after this one, Unix ms; ``None`` when it never comes again."""
    return next(_times(schedule, after_ms), None)


def tick_iso(schedule: ScheduleInfo, tick_ms: int) -> str:
    """Return a tick in its schedule's time zone."""
    return datetime.fromtimestamp(tick_ms / 1000, ZoneInfo(schedule.timezone)).isoformat()


def tick_delivery(
    schedule: ScheduleInfo, tick_ms: int, now_ms: int, *, source: str = DEFAULT_SOURCE
) -> Delivery:
    """Return the delivery of a tick; its id tells both, so a ledger takes it once."""
    name = hashlib.sha256(schedule.name.encode()).hexdigest()[:12]
    return Delivery(
        id=f"schedule~{name}~{tick_ms}",
        event=schedule.event,
        received_ms=now_ms,
        content_type="application/json",
        body=msgspec.json.encode({"schedule": schedule.name, "tick": tick_iso(schedule, tick_ms)}),
        headers={},
        source=source,
        origin="schedule",
    )


def _times(schedule: ScheduleInfo, after_ms: int) -> Iterator[int]:
    start = datetime.fromtimestamp(after_ms / 1000, UTC).astimezone(ZoneInfo(schedule.timezone))
    for at in CronSim(schedule.cron, start):
        yield int(at.timestamp() * 1000)
