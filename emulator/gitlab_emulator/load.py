"""Load: many deliveries, one after the other or at a rate.

At a rate it is open-loop: each delivery starts when it is due, and slow answers delay none until
`at_once` of them are outstanding.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitlab_emulator.hooks.sending import open_client, post

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitlab_emulator.hooks.sending import Sent
    from gitlab_emulator.load_statistics import LoadStatistics


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send where. `rate` is per second; None: one after the other.

    `make` gives the id and the headers of one delivery. `at_once` bounds how many are under way.
    `keep_alive` uses connections again, which GitLab never does.
    """

    url: str
    body: bytes
    make: Callable[[], tuple[str, Mapping[str, str]]]
    count: int
    rate: float | None
    at_once: int
    keep_alive: bool


async def send_all(plan: Plan, statistics: LoadStatistics, on_sent: Callable[[str, Sent], None]) -> None:
    """Send them, count them in the statistics, and tell of each, by its id, when it has ended.

    Reslots early when the receiver is not there at all. When cancelled, what is under way is cut off.
    """
    slots = asyncio.Semaphore(1 if plan.rate is None else plan.at_once)
    async with (
        open_client(reused=plan.at_once if plan.keep_alive else 0) as client,
        asyncio.TaskGroup() as under_way,
    ):

        async def send_one() -> None:
            delivery_id, headers = plan.make()
            try:
                sent = await post(client, plan.url, headers, plan.body)
            finally:
                slots.release()
            statistics.end(sent, time.monotonic())
            on_sent(delivery_id, sent)

        first_s = time.monotonic()
        for number in range(plan.count):
            due_s = first_s if plan.rate is None else first_s + number / plan.rate
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await slots.acquire()
            if statistics.unreachable:
                return
            now_s = time.monotonic()
            statistics.begin(now_s, late_s=0.0 if plan.rate is None else now_s - due_s)
            under_way.create_task(send_one())
