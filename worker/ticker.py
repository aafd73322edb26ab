"""The clock of a bot's schedules: each tick becomes one delivery, whoever of the fleet is first.

A tick's delivery has an id that is made of schedule and time, so the ledger takes it once. Redis's clock
tells the time; the workers' own may differ.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hookyard.host.ticks import next_tick, tick_delivery, tick_iso, ticks
from hookyard.ledger import schedules
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookyard.host.messages import ScheduleInfo
    from hookyard.ledger.ledger import Ledger

log = logs.get_logger("worker")

GRACE_MS: Final = 60_000
"""A tick that passed while the fleet was restarted still counts for so long, ``catch_up`` or not."""

_LOOK_S: Final = 1.0
_AWAY_S: Final = 0.25


class Ticker:
    """Has deliveries accepted when they are due.

    :param schedules: returns those of the bot at present.
    :param source: the GitLab that their handlers get a client of.
    """

    def __init__(
        self, ledger: Ledger, schedules: Callable[[], tuple[ScheduleInfo, ...]], *, source: str
    ) -> None:
        self._ledger = ledger
        self._schedules = schedules
        self._source = source

    async def keep(self) -> None:
        """Tick until cancelled; while the bot has no schedule, Redis is left alone."""
        while True:
            pause_s = _LOOK_S
            if self._schedules():
                try:
                    pause_s = await self._tick()
                except Exception as exc:
                    if not is_redis_away(exc):
                        log.exception("keeping the schedules failed")
                    pause_s = _AWAY_S
            await asyncio.sleep(pause_s)

    async def _tick(self) -> float:
        """Accept what is due; return the seconds until it is worth looking again."""
        redis, keys = self._ledger.redis, self._ledger.keys
        seconds, micros = await redis.time()
        now_ms = seconds * 1000 + micros // 1000
        wanted = self._schedules()
        known = await schedules.read(redis, keys, [each.name for each in wanted])
        pause_ms = _LOOK_S * 1000
        for schedule, before in zip(wanted, known, strict=True):
            looked_ms = now_ms - 1 if before is None else before.looked_ms
            due = ticks(schedule, looked_ms, now_ms)
            if not schedule.catch_up:
                due = [tick_ms for tick_ms in due if tick_ms >= now_ms - GRACE_MS]
            for tick_ms in due:
                if await self._ledger.accept(tick_delivery(schedule, tick_ms, now_ms, source=self._source)):
                    log.info("schedule ticked", schedule=schedule.name, tick=tick_iso(schedule, tick_ms))
            now_known = schedules.Schedule(
                cron=schedule.cron,
                timezone=schedule.timezone,
                looked_ms=due[-1] if due else looked_ms,
                last_ms=due[-1] if due else before.last_ms if before else None,
                next_ms=next_tick(schedule, now_ms),
            )
            if now_known != before:
                await schedules.write(redis, keys, schedule.name, now_known)
            if now_known.next_ms is not None:
                pause_ms = min(pause_ms, now_known.next_ms - now_ms)
        return max(0.001, pause_ms / 1000)
