"""What is done to the stack while webhooks come in, one thing after the other, and how long each took."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compose.sender import Sender
    from tests.compose.stack import Stack


class Steps:
    """Does them; ``took_s`` has the seconds of each, ``spans`` from when to when it went on.

    ``killed_at_s`` is when the ingress was killed.

    :param share: how much of all deliveries is sent before each next step begins, at the least.
    """

    def __init__(self, stack: Stack, sender: Sender, deliveries: int, *, share: float = 0.06) -> None:
        self.took_s: dict[str, float] = {}
        self.spans: dict[str, tuple[float, float]] = {}
        self.spooled = 0
        self.killed_at_s = 0.0
        self._stack = stack
        self._sender = sender
        self._each = int(deliveries * share)

    async def go_on(self) -> None:
        """Do all of them."""
        stack = self._stack
        await self._do("an ingress is killed, and is back", self._kill_ingress)
        await self._do("a worker is killed, and is back", self._kill_worker)
        await self._do("one more worker is added", lambda: self._up(worker=4))
        await self._do("Redis is restarted", self._restart_redis)
        self.spooled += await asyncio.to_thread(stack.spooled)
        await self._do("every worker and ingress gets the new image", self._upgrade)
        self.spooled += await asyncio.to_thread(stack.spooled)

    async def _do(self, name: str, step: Callable[[], None]) -> None:
        next_at = self._sender.begun + self._each
        while self._sender.begun < next_at:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        began = time.monotonic()
        await asyncio.to_thread(step)
        self.spans[name] = began, time.monotonic()
        self.took_s[name] = round(time.monotonic() - began, 1)
        print(f"  {self._sender.begun:5} sent: {name}: {self.took_s[name]} s", flush=True)

    def _up(self, **scale: int) -> None:
        self._stack.up(**scale)
        for service, number in scale.items():
            self._stack.wait_until_well(service, number)

    def _kill_ingress(self) -> None:
        self.killed_at_s = self._crash_and_wait("ingress", 2)

    def _kill_worker(self) -> None:
        self._crash_and_wait("worker", 3)

    def _crash_and_wait(self, service: str, number: int) -> float:
        """Kill one and wait until the engine has started it again, as the restart policy says; gives when."""
        container = self._stack.containers(service)[0]
        template = "{{.State.StartedAt}}"
        before = self._stack.inspect(container, template)
        self._stack.crash(container)
        at_s = time.monotonic()
        deadline = time.monotonic() + 60
        while self._stack.inspect(container, template) == before:
            assert time.monotonic() < deadline, f"{container} was not started again"
            time.sleep(0.1)
        self._stack.wait_until_well(service, number)
        return at_s

    def _restart_redis(self) -> None:
        (name,) = self._stack.containers("redis")
        self._stack.run("podman", "restart", "--time=30", name)
        self._stack.wait_until_well("ingress", 2)

    def _upgrade(self) -> None:
        stack = self._stack
        stack.set(HOOKYARD_IMAGE=f"{stack.project}:2")
        stack.run("deploy/upgrade", COMPOSE="podman-compose", ENGINE="podman")
        for service in ("ingress", "worker"):
            for name in stack.containers(service):
                image = stack.inspect(name, "{{.ImageName}}")
                assert image.endswith(f"{stack.project}:2"), f"{name} still runs {image}"
