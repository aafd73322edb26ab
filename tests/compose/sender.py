"""Sends webhooks as GitLab does: each once, on a connection of its own, 10 s for the answer, no retry."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass

import httpx

GITLAB_WAITS_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How one webhook ended: ``status`` is the answer's, or the name of what went wrong instead."""

    delivery_id: str
    status: int | str
    began_s: float
    took_s: float

    @property
    def is_accepted(self) -> bool:
        """Whether GitLab would count it as taken."""
        return isinstance(self.status, int) and 200 <= self.status < 300


class Sender:
    """Posts to *url* with the secret *token*; ``sent`` holds how each ended."""

    def __init__(self, url: str, token: str) -> None:
        self.sent: list[Sent] = []
        self.begun = 0
        self._url = url
        self._token = token

    async def send(self, deliveries: int, rate: float) -> None:
        """Send them at a steady *rate* a second, whatever becomes of those before."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        began = time.monotonic()
        async with (
            httpx.AsyncClient(timeout=GITLAB_WAITS_S, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(deliveries):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(self._post(client, number))
                self.begun += 1

    async def _post(self, client: httpx.AsyncClient, number: int) -> None:
        delivery_id = str(uuid.uuid4())
        headers = {
            "content-type": "application/json",
            "x-gitlab-event": "Push Hook",
            "x-gitlab-token": self._token,
            "x-gitlab-event-uuid": str(uuid.uuid4()),
            "idempotency-key": delivery_id,
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(time.time())),
        }
        body = json.dumps({"object_kind": "push", "ref": "refs/heads/main", "text": "x" * (number % 4000)})
        began_s = time.monotonic()
        status: int | str
        try:
            async with asyncio.timeout(GITLAB_WAITS_S):
                status = (await client.post(self._url, content=body, headers=headers)).status_code
        except (httpx.HTTPError, TimeoutError) as exc:
            status = type(exc).__name__
        self.sent.append(
            Sent(delivery_id=delivery_id, status=status, began_s=began_s, took_s=time.monotonic() - began_s)
        )
