"""Stand-ins that tests share, each written once."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from deliveries.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def a_delivery(
    delivery_id: str = "d-1", event: str = "Push Hook", data: Any = None, **changed: Any
) -> Delivery:
    """A delivery as an ingress would make it."""
    body = json.dumps({"object_kind": "push"} if data is None else data).encode()
    facts: dict[str, Any] = {
        "id": delivery_id,
        "event": event,
        "received_ms": time.time_ns() // 1_000_000,
        "content_type": "application/json",
        "body": body,
        "headers": {"x-gitlab-event-uuid": "11111111-2222-3333-4444-555555555555"},
    }
    return Delivery(**{**facts, **changed})


async def until(condition: Callable[[], Any | Awaitable[Any]], *, within_s: float = 15.0) -> Any:
    """Wait until *condition* gives something true, and return that; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within_s} s: {condition}")
        await asyncio.sleep(0.01)
