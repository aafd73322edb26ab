"""A Hookyard that runs for the length of one test: a real ingress, a real worker, a ledger of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import TYPE_CHECKING, Final, Self

from gitlab_emulator.hooks.request import Secrets

from hookyard.host.registry import Registry
from hookyard.host.ticks import tick_delivery
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.query import Filter
from hookyard.ledger.reader import Listing
from hookyard.ledger.records import State
from hookyard.redis.client import close, open_redis
from pytest_hookyard.child_process import ChildError
from pytest_hookyard.delivered import (
    PUT_OFF,
    Delivered,
    NotDoneError,
    RefusedError,
    is_done,
    made_for,
    why_not_done,
)
from pytest_hookyard.logs import logs_for_pytest
from pytest_hookyard.stage import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from gidgetlab.routing import Router

    from hookyard.ledger.records import Record
    from hookyard.settings.settings import Settings
    from pytest_hookyard.emulated import GitLabEmulator
    from pytest_hookyard.stage import Answer, Stage

TIMEOUT_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.05  # for a Redis that somebody else started, which does not tell of changes


class RunningHookyard:
    """An ingress at ``url`` and a worker, with ``settings``, inside the block.

    ``secrets`` are what a webhook has to come with: ``secrets.token``, ``secrets.signing_token``.
    """

    def __init__(self, stage: Stage, gitlab: GitLabEmulator, settings: Settings, router: Router) -> None:
        self.url = f"{stage.ingress.url}/"
        self.gitlab = gitlab
        self.settings = settings
        self.secrets = Secrets(
            token=next((token.get_secret_value() for token in settings.secret_tokens), None),
            signing_token=next((token.get_secret_value() for token in settings.signing_tokens), None),
        )
        self._stage = stage
        self._router = router
        self._keys = LedgerKeys(prefix=settings.prefix)

    def __enter__(self) -> Self:
        """Start both."""
        with contextlib.ExitStack() as undo:
            undo.enter_context(logs_for_pytest())
            self._stage.world.run(self._open())
            undo.callback(lambda: self._stage.world.run(self._close()))
            self._stage.host.run(self._stage.worker.start(self.settings, self._router))
            undo.callback(lambda: self._stage.host.run(self._stage.worker.stop()))
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop both; handlers that still run are cancelled."""
        self._undo.close()

    def deliveries(self, *, timeout_s: float = TIMEOUT_S) -> list[Delivered]:
        """All deliveries of this test, in order of receipt, once all are done.

        Waits for the emulator first, whose own webhooks may be on their way.

        :raises NotDoneError: when they are not in time.
        """
        __tracebackhide__ = True
        return self.wait(self._all_done(timeout_s), timeout_s=timeout_s)

    def wait(self, work: Coroutine[Any, Any, Answer], *, timeout_s: float) -> Answer:
        """Run a coroutine that waits for deliveries, beside the ingress, and return what it returns.

        :raises DeliveryError: when it does, with where the handlers are just now.
        """
        __tracebackhide__ = True
        try:
            return self._stage.world.run(work, within_s=timeout_s + PATIENCE_S)
        except RefusedError as exc:
            raise exc.with_traceback(None) from None  # the test's own line is what counts
        except NotDoneError as exc:
            text = f"{exc}\n\n{self._stage.host.handlers()}".rstrip()
        raise NotDoneError(text)

    async def finished(self, delivery_id: str, *, runs: int | None, timeout_s: float) -> Record:
        """Return a delivery's record once it is done; for :meth:`wait`.

        Redis tells of every change of the record, so nothing is waited for longer than it takes.

        :param runs: so many runs count as done, too.
        :raises NotDoneError: when it is not in time, at once where its next run is due only later.
        """
        since = time.monotonic()
        async with self._redis.pubsub() as changes:
            await changes.psubscribe(f"__keyspace@*__:{self._keys.delivery(delivery_id)}")
            while True:
                record = await self._listing.get(delivery_id)
                if record is None:
                    raise LookupError(f"there is no delivery {delivery_id}: has it been discarded?")
                if is_done(record, runs=runs):
                    return record
                if (fault := self._stage.worker.fault) is not None:
                    raise ChildError(fault)
                left_s = since + timeout_s - time.monotonic()
                if left_s <= 0 or _is_in_vain(record, left_s):
                    raise NotDoneError(
                        why_not_done(
                            record,
                            self.gitlab.calls,
                            waited_s=time.monotonic() - since,
                            now_ms=time.time_ns() // 1_000_000,
                        )
                    )
                await changes.get_message(ignore_subscribe_messages=True, timeout=min(left_s, _LOOK_AGAIN_S))

    async def replay(self, delivery_id: str) -> None:
        """Have all handlers of a delivery run again; for :meth:`wait`."""
        await self._ledger.replay([delivery_id], what="all", now_ms=time.time_ns() // 1_000_000)

    async def tick(self, name: str) -> str:
        """Have a schedule tick, and return the id of its delivery; for :meth:`wait`.

        :param name: its handler's whole name, or the function's alone.
        :raises LookupError: when none of that name has a schedule, or several have.
        """
        known = Registry(self._router).schedules
        found = [one for one in known if name in {one.name, re.split(r"[:.]", one.name)[-1]}]
        if len(found) != 1:
            names = ", ".join(one.name for one in known) or "there is no schedule"
            raise LookupError(f"{len(found) or 'none'} of the schedules is {name}: {names}")
        now_ms = time.time_ns() // 1_000_000
        delivery = tick_delivery(found[0], now_ms, now_ms, source=next(iter(self.settings.by_source)))
        await self._ledger.accept(delivery)
        return delivery.id

    async def forward(self, seconds: float, *, timeout_s: float) -> list[Record]:
        """Run now what falls due within some seconds; return the records afterwards; for :meth:`wait`."""
        ids = await self._ledger.hasten(round(seconds * 1000))
        until = time.monotonic() + timeout_s
        records = []
        for one in ids:
            while True:
                record = await self._listing.get(one)
                if record is not None and (record.woken is None or record.finished_ms is not None):
                    break
                if time.monotonic() > until:
                    raise NotDoneError(f"{one} did not run again within {timeout_s:g} s")
                await asyncio.sleep(_LOOK_AGAIN_S / 5)
            records.append(record)
        return records

    async def _all_done(self, timeout_s: float) -> list[Delivered]:
        until, before = time.monotonic() + timeout_s, None
        while True:
            await self.gitlab.settled()
            ids = (await self._listing.all_ids(Filter()))[::-1]
            records = [await self.finished(one, runs=None, timeout_s=until - time.monotonic()) for one in ids]
            if ids == before:  # handlers act through the API, and so may have made the emulator send more
                calls = self.gitlab.calls
                return [
                    Delivered(record=record, calls=made_for(record, calls, or_nameless=False))
                    for record in records
                ]
            before = ids

    async def _open(self) -> None:
        self._redis = open_redis(self.settings.redis_url, timeout_s=PATIENCE_S)
        self._ledger = Ledger(self._redis, self._keys)
        self._listing = Listing(self._redis, self._keys)
        await self._stage.ingress.start(self.settings)

    async def _close(self) -> None:
        await self._stage.ingress.stop()
        await close(self._redis)


def _is_in_vain(record: Record, left_s: float) -> bool:
    due_ms = record.due_ms if record.state in PUT_OFF or record.state is State.QUEUED else None
    return due_ms is not None and due_ms / 1000 > time.time() + left_s
