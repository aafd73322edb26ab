"""All hooks of this GitLab, executed in the background, a few at a time.

The caller never waits: an activity is matched with hooks at once, and each delivery is a task.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from gitlab_emulator.hooks.event_log import EventLog
from gitlab_emulator.hooks.execution import Delivery, Done, Execution, digest
from gitlab_emulator.hooks.matching import log_name, matching_hooks
from gitlab_emulator.hooks.operation_limit import OperationLimit
from gitlab_emulator.hooks.recursion import Chains
from gitlab_emulator.hooks.registration import scope
from gitlab_emulator.hooks.request import NEWEST, Version, encode
from gitlab_emulator.hooks.sending import open_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from gitlab_emulator.activity import Activity
    from gitlab_emulator.hooks.model import Hook, HookEvent
    from gitlab_emulator.state import State

log = logging.getLogger("gitlab_emulator")

PARALLEL = 20
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 256 * 1024 * 1024
INSTANCE = "http://127.0.0.1:8002"
WITHOUT_COMMITS = ("push", "tag_push")


class Hooks:
    """The sender. `instance` is the address of this GitLab where a caller does not name one.

    `log` is the log of deliveries, `turns` counts who tests and resends how often; `changed` is called
    when a delivery has changed the state. One event loop.
    """

    def __init__(
        self,
        state: State,
        *,
        clock: Callable[[], datetime],
        wall_clock: Callable[[], float] = time.time,
        version: Version = NEWEST,
        instance: str = INSTANCE,
        parallel: int = PARALLEL,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.version = version
        self.log = EventLog(state)
        self.operation_limit = OperationLimit()
        self._state = state
        self._clock = clock
        self._instance = instance
        self._chains = Chains()
        self._places = asyncio.Semaphore(parallel)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting_bytes = 0
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._execution = Execution(
            state=state,
            log=self.log,
            chains=self._chains,
            client=self._client,
            clock=clock,
            wall_clock=wall_clock,
            version=version,
            changed=changed,
        )

    def execute(
        self, activity: Activity, *, event_uuid: str | None = None, base_url: str | None = None
    ) -> None:
        """Have every hook run that wants to hear of it; returns at once, and needs a running loop.

        `event_uuid` is the `X-Gitlab-Event-UUID` of the call that made it happen, `base_url` the address
        by which that call came.
        """
        now = self._clock()
        for hook in matching_hooks(self._state, activity, now):
            if self._chains.blocks(hook.id, event_uuid, now):
                log.info("hook %s is held back: it ran under this X-Gitlab-Event-UUID already", hook.id)
                continue
            delivery = Delivery(
                hook_id=hook.id,
                trigger=log_name(activity.trigger, hook),
                body=_body(activity, hook),
                delivery_id=str(uuid4()),
                event_uuid=event_uuid,
                instance=base_url or self._instance,
            )
            self._start(delivery)

    async def test(
        self,
        hook: Hook,
        name: str,
        body: object,
        *,
        event_uuid: str | None = None,
        base_url: str | None = None,
    ) -> Done:
        """Run this hook now with this body, also when it is disabled; `name` is the kind's in the log."""
        delivery = Delivery(
            hook_id=hook.id,
            trigger=name,
            body=encode(body),
            delivery_id=str(uuid4()),
            event_uuid=event_uuid,
            instance=base_url or self._instance,
            force=True,
        )
        return await self._execution.send(delivery)

    async def resend(
        self, hook: Hook, event: HookEvent, *, event_uuid: str | None = None, base_url: str | None = None
    ) -> Done:
        """Send what the log holds of a delivery once more, under the same id."""
        if event.url_digest != digest(hook):
            return Done(status=None, message="The hook URL has changed, and this log entry cannot be retried")
        delivery = Delivery(
            hook_id=hook.id,
            trigger=event.trigger,
            body=encode(event.request_data),
            delivery_id=event.delivery_id or str(uuid4()),
            event_uuid=event_uuid,
            instance=base_url or self._instance,
        )
        return await self._execution.send(delivery)

    def remove(self, hook: Hook) -> None:
        """Delete a hook with its log; what is under way for it still arrives."""
        del self._state.hooks[hook.id]
        self.log.forget(hook)

    async def settled(self) -> None:
        """Return when nothing is under way any more, also nothing that came up meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Give up what is under way, and say in the log how much that was."""
        tasks = list(self._tasks)
        if tasks:
            log.warning("%s webhooks were abandoned", len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _start(self, delivery: Delivery) -> None:
        if len(self._tasks) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES:
            log.warning(
                "%s webhooks wait already: one for hook %s is dropped", len(self._tasks), delivery.hook_id
            )
            return
        self._waiting_bytes += len(delivery.body)
        task = asyncio.create_task(self._run(delivery))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, delivery))

    async def _run(self, delivery: Delivery) -> None:
        async with self._places:
            await self._execution.send(delivery)

    def _ended(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._waiting_bytes -= len(delivery.body)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the webhook for hook %s failed", delivery.hook_id, exc_info=error)

    def _client(self, hook: Hook) -> httpx.AsyncClient:
        verify = hook.enable_ssl_verification
        if verify not in self._clients:
            self._clients[verify] = open_client(verify=verify)
        return self._clients[verify]


def _body(activity: Activity, hook: Hook) -> bytes:
    """What this hook is sent; system hooks do not see the commits of a push."""
    if scope(hook) == "system" and activity.trigger in WITHOUT_COMMITS and "commits" in activity.body:
        return encode({**activity.body, "commits": []})
    return encode(activity.body)
