"""Stand-ins that tests share, each written once."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from hookyard.ledger.records import Delivery

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


async def until(condition: Callable[[], Any | Awaitable[Any]], *, within_s: float = 60.0) -> Any:
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


class Chunks:
    """A request's body as a server hands it to an ASGI app; a client that never goes away waits for ever.

    :param then: what follows the chunks: ``"end"`` of the body, ``"disconnect"`` or ``"silence"``.
    """

    def __init__(self, *chunks: bytes, then: str = "end") -> None:
        self.taken = 0
        self._chunks = chunks
        self._then = then

    async def __call__(self) -> dict[str, Any]:
        """What ``receive()`` gives; ``taken`` counts the chunks that were asked for."""
        if self.taken < len(self._chunks):
            chunk = self._chunks[self.taken]
            self.taken += 1
            more = self._then != "end" or self.taken < len(self._chunks)
            return {"type": "http.request", "body": chunk, "more_body": more}
        if self._then == "disconnect":
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError
