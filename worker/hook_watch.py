"""An eye on the webhooks in GitLab: one worker of the fleet looks at each of them once a minute.

It says when one is on probation or disabled, and, where switched on, enables it and imports what it lost.
Whoever holds the watch renews it; when that worker is gone, another takes over.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
from gidgetlab.exceptions import GitLabException

from hookyard.catching_up import known_ids, take
from hookyard.gitlab import hooks
from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
from hookyard.gitlab.hooks import Status
from hookyard.gitlab.missed import Fate, has_wrong_secret, sort_out
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hookyard.gitlab.hooks import Found, Hook
    from hookyard.ledger.ledger import Ledger
    from hookyard.settings.settings import Settings
    from worker.metrics import WorkerMetrics

log = logs.get_logger("worker")

LOOK_EVERY_S: Final = 60.0
HOLD_S: Final = 12.0
"""A worker that is gone has lost the watch after so long."""

_RENEW_S: Final = 4.0
_FIRST_TEST_S: Final = 60.0
_LONGEST_TEST_S: Final = 3600.0
_OVERLAP_MS: Final = 3_600_000
_PER_SECOND: Final = 20
_READY_S: Final = 5.0


@dataclass
class _Ramp:
    """When a hook may be tested again; the wait doubles, as GitLab's own does."""

    next_s: float = 0.0
    wait_s: float = _FIRST_TEST_S


class HookWatch:
    """Looks after the webhooks of ``HOOKYARD_WATCH``.

    :param events: returns the events that the bot has handlers for.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        *,
        name: str,
        events: Callable[[], Collection[str]],
        metrics: WorkerMetrics,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._name = name
        self._events = events
        self._metrics = metrics
        self._statuses: dict[str, Status] = {}
        self._ramps: dict[str, _Ramp] = {}
        self._told: set[str] = set()
        self._looked_ms: dict[str, int] = {}

    async def keep(self) -> None:
        """Watch until cancelled; without anything to watch, GitLab and Redis are left alone."""
        if not self._settings.watch or not self._settings.public_url:
            return
        next_look_s = 0.0
        while True:
            try:
                if await self._holds_the_watch():
                    if time.monotonic() >= next_look_s:
                        next_look_s = time.monotonic() + LOOK_EVERY_S
                        await self._while_renewing(self.look())
                else:
                    self._metrics.forget_hooks()
            except Exception as exc:
                if not is_redis_away(exc):
                    log.exception("watching the webhooks failed")
            await asyncio.sleep(_RENEW_S)

    async def look(self) -> None:
        """Look at every webhook once, and do what the settings allow."""
        for source, settings in self._settings.by_source.items():
            try:
                async with open_client(settings) as client:
                    gl = DeliveryGitLabAPI(client, settings, event_uuid=None, clock=time.time)
                    await self._look_at(gl, source)
            except (GitLabException, httpx.HTTPError) as exc:
                log.warning("webhooks cannot be read", source=source, error=f"{type(exc).__name__}: {exc}")

    async def _look_at(self, gl: DeliveryGitLabAPI, source: str) -> None:
        found = await hooks.find(
            gl, self._settings.watch, url=self._settings.public_url, wanted=self._events()
        )
        self._tell_unreadable(found)
        for hook in found.hooks:
            self._tell(hook)
            self._metrics.hook_status(f"{hook.name} {hook.id}", hook.status)
            if hook.status is not Status.EXECUTABLE and self._settings.watch_enable:
                await self._enable(gl, hook)
            if self._settings.watch_import:
                await self._import(gl, hook, source)

    def _tell(self, hook: Hook) -> None:
        key = f"{hook.place} {hook.id}"
        before = self._statuses.get(key, Status.EXECUTABLE)
        self._statuses[key] = hook.status
        if hook.status is before:
            return
        if hook.status is Status.EXECUTABLE:
            log.info("webhook works again", hook=hook.id, of=hook.name)
            self._ramps.pop(key, None)
            return
        log.error(
            "webhook is in danger" if hook.status is Status.PROBATION else "webhook is disabled",
            status=hook.status.value,
            hook=hook.id,
            of=hook.name,
            until=hook.disabled_until,
            next="it is enabled as soon as the ingress is ready"
            if self._settings.watch_enable
            else "hookyard hooks --enable; afterwards hookyard import",
        )

    def _tell_unreadable(self, found: Found) -> None:
        for text in set(found.unreadable) - self._told:
            self._told.add(text)
            log.warning("webhooks cannot be read", why=text)

    async def _enable(self, gl: DeliveryGitLabAPI, hook: Hook) -> None:
        ramp = self._ramps.setdefault(f"{hook.place} {hook.id}", _Ramp())
        if time.monotonic() < ramp.next_s or not await self._is_ready():
            return
        ramp.next_s = time.monotonic() + ramp.wait_s
        ramp.wait_s = min(_LONGEST_TEST_S, 2 * ramp.wait_s)
        trigger = hooks.trigger_for(self._events())
        if trigger is None:
            log.warning(
                "webhook is not enabled: every event that GitLab can test has a handler", hook=hook.id
            )
            return
        log.info("webhook tested", hook=hook.id, of=hook.name, answer=await hooks.enable(gl, hook, trigger))

    async def _import(self, gl: DeliveryGitLabAPI, hook: Hook, source: str) -> None:
        """Take what GitLab failed to deliver since the last look, with an hour's overlap."""
        key, now_ms = f"{hook.place} {hook.id}", self._ledger.redis_now_ms()
        since_ms = self._looked_ms.get(key)
        rows = await hooks.read_log(gl, hook, since_ms=None if since_ms is None else since_ms - _OVERLAP_MS)
        self._looked_ms[key] = now_ms
        if has_wrong_secret(rows):
            log.error("webhook has a secret that is not ours", hook=hook.id, of=hook.name)
        all_ids = (one.delivery_id for one in sort_out(hook.id, rows, is_known=lambda _id: False))
        known = await known_ids(self._ledger, all_ids, source)
        wanted = self._events()
        imported = 0
        for one in sort_out(hook.id, rows, is_known=known.__contains__):
            if one.fate is Fate.MISSED and one.event in wanted:
                imported += await take(self._ledger, one, source, now_ms=self._ledger.redis_now_ms())
                await asyncio.sleep(1 / _PER_SECOND)
        if imported:
            self._metrics.hooks_imported.inc(imported)
            log.info("missed deliveries imported", hook=hook.id, of=hook.name, deliveries=imported)

    async def _is_ready(self) -> bool:
        """Return whether the ingress would take a delivery; one that does not show ``/ready`` is trusted."""
        try:
            async with httpx.AsyncClient(timeout=_READY_S) as client:
                answer = await client.get(self._settings.public_url.rstrip("/") + "/ready")
        except httpx.HTTPError:
            return False
        return answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR

    async def _holds_the_watch(self) -> bool:
        redis, key = self._ledger.redis, self._ledger.keys.watch
        if await redis.set(key, self._name, nx=True, px=int(HOLD_S * 1000)):
            log.info("watching the webhooks in GitLab", of=list(self._settings.watch))
            return True
        if await redis.get(key) != self._name.encode():
            return False
        await redis.pexpire(key, int(HOLD_S * 1000))
        return True

    async def _while_renewing(self, work: Any) -> None:
        """Do *work*, which may take longer than the watch is held for."""
        doing = asyncio.ensure_future(work)
        try:
            while not doing.done():
                await asyncio.wait([doing], timeout=_RENEW_S)
                await self._ledger.redis.pexpire(self._ledger.keys.watch, int(HOLD_S * 1000))
            doing.result()
        finally:
            doing.cancel()
