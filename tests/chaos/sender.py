"""What sends deliveries in chaos and trials: GitLab behind a load balancer."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx

from tests.fakes import until

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN: Final = ("plain succeeds", "plain fails", "plain sleeps", "plain innocent", "regex", "holds the lock")
EVENTS: Final = {
    **dict.fromkeys(_PLAIN, "Tag Push Hook"),
    "hangs": "Note Hook",
}
"""The event for the kinds of deliveries whose handler is not the bot's second coroutine."""

_OBJECTS: Final = {"Push Hook": "push", "Tag Push Hook": "tag_push", "Note Hook": "note"}


class Sender:
    """Posts as GitLab behind a load balancer would: a door that does not answer costs a second attempt.

    :param urls: of the ingresses.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.accepted: set[str] = set()
        self.refused = 0
        self.repeated = 0
        self.slowest_s = 0.0
        self._urls = urls
        self._turn = itertools.count()

    async def wait_for_the_door(self) -> None:
        """Return once all ingresses answer."""
        async with httpx.AsyncClient() as client:

            async def answers(url: str) -> bool:
                try:
                    return (await client.get(f"{url}/health")).is_success
                except httpx.HTTPError:
                    return False

            for url in self._urls:
                await until(partial(answers, url))

    async def send(self, deliveries: Sequence[dict[str, Any]], rate: float, *, name: str = "c") -> None:
        """Send bodies, *rate* a second; each says its ``kind``."""
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=50)
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=10, limits=limits) as client, asyncio.TaskGroup() as group:
            for number, body in enumerate(deliveries):
                group.create_task(self._post(client, f"{name}-{number:06}", body))
                if sys.stderr.isatty() and number % 100 == 0:
                    sys.stderr.write(f"\r{number} of {len(deliveries)} sent, {len(self.accepted)} accepted ")
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        if sys.stderr.isatty():
            sys.stderr.write("\n")

    async def _post(self, client: httpx.AsyncClient, delivery_id: str, body: dict[str, Any]) -> None:
        event = EVENTS.get(body["kind"], "Push Hook")
        headers = {"x-gitlab-event": event, "webhook-id": delivery_id}
        first = next(self._turn)
        for attempt in range(2):
            url = self._urls[(first + attempt) % len(self._urls)]
            began = time.monotonic()
            try:
                answer = await client.post(
                    url, json={"object_kind": _OBJECTS[event], **body}, headers=headers
                )
            except httpx.HTTPError:
                continue
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if answer.status_code in {200, 202}:
                self.accepted.add(delivery_id)
                self.repeated += answer.status_code == 200
                return
        self.refused += 1
