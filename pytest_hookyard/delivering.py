"""``deliver``: sends a webhook as GitLab does, and waits for what becomes of it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from gidgetlab.sansio import Event
from gitlab_emulator.hooks.request import DeliveryIds, encode, headers
from gitlab_emulator.hooks.sending import Answered, open_client, post
from gitlab_emulator.samples.amend import amended
from gitlab_emulator.samples.catalogue import SAMPLES, closest
from gitlab_emulator.samples.kinds import header_of
from gitlab_emulator.samples.scene import scene_of

from pytest_hookyard.delivered import Delivered, RefusedError, made_for
from pytest_hookyard.running import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from gitlab_emulator.calls import RecordedCall
    from gitlab_emulator.hooks.sending import Ending

    from hookyard.ledger.records import Record
    from pytest_hookyard.running import RunningHookyard


class Deliver:
    """Call it with an event; it returns once all handlers are done with that.

    :param tell: is told each delivery's story, for a test that fails.
    """

    def __init__(self, hookyard: RunningHookyard, *, tell: Callable[[str], None]) -> None:
        self._hookyard = hookyard
        self._tell = tell

    def __call__(
        self,
        what: str | bytes | Event | dict[str, object] | list[object],
        event: str | None = None,
        *,
        amend: Mapping[str, object] | None = None,
        delivery_id: str | None = None,
        runs: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Delivered:
        """Send *what* and return what became of it.

        :param what: a sample's name (``hookyard send --list``), made from the emulator's own objects;
            or a body, as JSON's objects or raw; or a gidgetlab ``Event``.
        :param event: ``X-Gitlab-Event``, such as ``Issue Hook``, where *what* does not tell it.
        :param amend: changes of the body, such as ``{"object_attributes.title": "Leak"}``.
        :param delivery_id: the same as before sends the same delivery again.
        :param runs: come back when it was tried so often, done or not.
        :param timeout_s: how long it may take, with all its runs.
        :raises NotDoneError: when it takes longer, telling the story so far.
        :raises RefusedError: when the ingress does not take it.
        """
        __tracebackhide__ = True
        name, body = self._read(what, event)
        if amend:
            orders = [f"{path}={json.dumps(value)}" for path, value in amend.items()]
            body = amended(json.loads(body) if isinstance(body, bytes) else body, orders)
        ids = DeliveryIds(delivery=delivery_id or str(uuid4()), event=str(uuid4()), request=str(uuid4()))
        return self._wait(self._send_and_wait(name, body, ids, runs, timeout_s), timeout_s=timeout_s)

    def again(self, delivered: Delivered, *, timeout_s: float = TIMEOUT_S) -> Delivered:
        """Have all its handlers run once more, as after a crash: a second run should do no harm."""
        __tracebackhide__ = True
        return self._wait(self._replay_and_wait(delivered.id, timeout_s), timeout_s=timeout_s)

    def tick(self, schedule: str, *, timeout_s: float = TIMEOUT_S) -> Delivered:
        """Have a schedule tick now, and return what became of that; by itself none ticks in a test.

        :param schedule: the name of its handler.
        :raises LookupError: when there is no such schedule.
        """
        __tracebackhide__ = True
        return self._wait(self._tick_and_wait(schedule, timeout_s), timeout_s=timeout_s)

    def forward(self, seconds: float, *, timeout_s: float = TIMEOUT_S) -> list[Delivered]:
        """Run now what was put off for up to so many seconds, by whatever: ``Wait``, retries, delays.

        :returns: what became of each, which may have been put off once more.
        """
        __tracebackhide__ = True
        forwarded = self._hookyard.wait(self._forward(seconds, timeout_s), timeout_s=timeout_s)
        for each in forwarded:
            self._tell(each.story)
        return forwarded

    def _wait(self, work: Coroutine[Any, Any, Delivered], *, timeout_s: float) -> Delivered:
        __tracebackhide__ = True
        delivered = self._hookyard.wait(work, timeout_s=timeout_s)
        self._tell(delivered.story)
        return delivered

    def _read(self, what: object, event: str | None) -> tuple[str, object]:
        """Return ``X-Gitlab-Event`` and the body."""
        __tracebackhide__ = True
        if isinstance(what, Event):
            return event or what.event, what.data
        if isinstance(what, str):
            if what not in SAMPLES:
                near = closest(what)
                guess = f" Did you mean {near!r}?" if near else ""
                raise LookupError(
                    f"there is no sample {what!r}.{guess} `hookyard send --list` names them all"
                )
            sample = SAMPLES[what]
            gitlab = self._hookyard.gitlab
            scene = scene_of(gitlab.state, base_url=gitlab.url, now=datetime.now(UTC))
            return event or sample.event, sample.build(scene)
        event = event or (None if isinstance(what, bytes) else header_of(what))
        if event is None:
            raise TypeError('this body does not tell its event: deliver(…, event="Issue Hook")')
        return event, what

    async def _send_and_wait(
        self, event: str, body: object, ids: DeliveryIds, runs: int | None, timeout_s: float
    ) -> Delivered:
        hookyard = self._hookyard
        earlier = _ids(hookyard.gitlab.calls)
        content = body if isinstance(body, bytes) else encode(body)
        sent = headers(
            event=event,
            ids=ids,
            timestamp_s=int(time.time()),
            body=content,
            instance=hookyard.gitlab.url,
            secrets=hookyard.secrets,
        )
        async with open_client() as client:
            answer = await post(client, hookyard.url, sent, content)
        if not answer.ok:
            raise RefusedError(f"the ingress did not take it: {_in_words(answer.ending)}")
        record = await hookyard.finished(ids.delivery, runs=runs, timeout_s=timeout_s)
        return self._delivered(record, earlier)

    async def _replay_and_wait(self, delivery_id: str, timeout_s: float) -> Delivered:
        earlier = _ids(self._hookyard.gitlab.calls)
        await self._hookyard.replay(delivery_id)
        record = await self._hookyard.finished(delivery_id, runs=None, timeout_s=timeout_s)
        return self._delivered(record, earlier)

    async def _tick_and_wait(self, schedule: str, timeout_s: float) -> Delivered:
        earlier = _ids(self._hookyard.gitlab.calls)
        delivery_id = await self._hookyard.tick(schedule)
        record = await self._hookyard.finished(delivery_id, runs=None, timeout_s=timeout_s)
        return self._delivered(record, earlier)

    async def _forward(self, seconds: float, timeout_s: float) -> list[Delivered]:
        earlier = _ids(self._hookyard.gitlab.calls)
        records = await self._hookyard.forward(seconds, timeout_s=timeout_s)
        return [self._delivered(record, earlier) for record in records]

    def _delivered(self, record: Record, earlier: set[int]) -> Delivered:
        calls = [call for call in self._hookyard.gitlab.calls if call.id not in earlier]
        return Delivered(record=record, calls=made_for(record, calls, or_nameless=True))


def _in_words(ending: Ending) -> str:
    return f"{ending.status}, {ending.body.strip()}" if isinstance(ending, Answered) else str(ending)


def _ids(calls: list[RecordedCall]) -> set[int]:
    return {call.id for call in calls}
