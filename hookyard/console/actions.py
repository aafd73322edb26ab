"""What people and programs do to deliveries: each once for each key, and each audited."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gidgetlab.exceptions import BadRequest

from hookyard.console.answers import Conflict, NotThere
from hookyard.console.orders import OPEN
from hookyard.gitlab.events import describe, read_event
from hookyard.ledger.records import Delivery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hookyard.console.identities import Identity
    from hookyard.console.orders import Order
    from hookyard.console.services import Services
    from hookyard.ledger.query import Filter
    from hookyard.ledger.records import Record
    from hookyard.settings.settings import Settings

MEANING: Final = {
    "queued": "It runs again now.",
    "running": "It is running; it runs again once this run has ended.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """The actions of one person or program."""

    services: Services
    who: Identity

    async def replay(self, delivery_id: str, what: str, *, key: str | None = None) -> dict[str, Any]:
        """Run a delivery again: ``all`` handlers, or only those that ``failed``.

        :raises NotThere: when it is gone. :raises Conflict: when its body made room.
        """

        async def work() -> dict[str, Any]:
            now_ms = await self.services.store.now_ms()
            answers = await self.services.ledger.replay([delivery_id], what=what, now_ms=now_ms)  # type: ignore[arg-type]
            answer = answers[delivery_id]
            await self._audit(f"replay {what}", delivery_id, answer)
            if answer == "missing":
                raise NotThere(gone(delivery_id, self.services.settings))
            if answer == "dropped":
                raise Conflict(f"The body of {delivery_id} was dropped to make room, so it cannot run again.")
            return {"id": delivery_id, "answer": answer}

        return await self._once(key, work)

    async def deliver(
        self, event: str, body: bytes, *, parent: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """Make a delivery by hand, as that of *parent* with another body; return its id.

        :raises NotThere: when *parent* is gone. :raises Conflict: for a body that no handler could be given.
        """

        async def work() -> dict[str, Any]:
            before = await find(self.services, parent) if parent is not None else None
            try:
                data = read_event(event, "application/json", body).data
            except (BadRequest, ValueError, RecursionError) as exc:
                raise Conflict(f"The body is no JSON: {exc}") from None
            project, about = describe(data)
            delivery = Delivery(
                id=f"manual~{secrets.token_hex(12)}",
                event=event,
                received_ms=await self.services.store.now_ms(),
                content_type="application/json",
                body=body,
                headers={},
                source=before.delivery.source if before else "default",
                project=project,
                object=about,
                authenticated_by=f"{self.who.name}, by hand",
                origin="manual",
                parent=parent,
            )
            await self.services.ledger.accept(delivery)
            await self._audit("deliver", delivery.id, f"instead of {parent}" if parent else event)
            return {"id": delivery.id, "answer": "queued"}

        return await self._once(key, work)

    async def discard(self, delivery_id: str, *, key: str | None = None) -> dict[str, Any]:
        """Remove a delivery and everything kept of it.

        :raises NotThere: when it is gone already.
        """

        async def work() -> dict[str, Any]:
            found = await self.services.ledger.discard([delivery_id])
            await self._audit("discard", delivery_id, "discarded" if found else "missing")
            if not found:
                raise NotThere(gone(delivery_id, self.services.settings))
            return {"id": delivery_id, "answer": "discarded"}

        return await self._once(key, work)

    async def order(self, kind: str, wanted: Filter, text: str, *, key: str | None = None) -> dict[str, Any]:
        """Give a bulk order, and return its id."""

        async def work() -> dict[str, Any]:
            order = await self.services.orders.give(self.who, kind, wanted)
            meant = "an unknown number" if order.of is None else str(order.of)
            await self._audit(f"bulk {kind}", text, f"order {order.id}, of {meant}")
            return {"id": order.id}

        return await self._once(key, work)

    async def steer(self, order_id: str, state: str) -> Order:
        """Pause, continue or stop a bulk order.

        :raises NotThere: when there is none of this id. :raises Conflict: when it has ended.
        """
        before = await self.services.orders.get(order_id)
        after = await self.services.orders.steer(order_id, state) if before else None
        if before is None or after is None:
            raise NotThere(f"There is no order {order_id}. Orders are kept for 30 days.")
        if before.state not in OPEN:
            raise Conflict(f"Order {order_id} has ended ({before.state}).")
        await self._audit(f"order {state}", order_id, f"{after.touched} touched so far")
        return after

    async def _once(self, key: str | None, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        if not key:
            return await work()
        before = await self.services.store.begin_once(self.who, key)
        if before is not None:
            if not before:
                raise Conflict("The same request is being carried out just now.")
            return before
        result = None
        try:
            result = await work()
        finally:
            await self.services.store.finish_once(self.who, key, result)
        return result

    async def _audit(self, what: str, on: str, result: str) -> None:
        await self.services.store.audit(self.who, what, on=on, result=result)


async def find(services: Services, delivery_id: str) -> Record:
    """Return a delivery.

    :raises NotThere: when it is gone. :raises Conflict: when a newer version wrote it.
    """
    try:
        record = await services.listing.get(delivery_id)
    except ValueError as exc:
        raise Conflict(f"{exc}. Upgrade the console.") from None
    if record is None:
        raise NotThere(gone(delivery_id, services.settings))
    return record


def gone(delivery_id: str, settings: Settings) -> str:
    """Return what to say of a delivery that is not there."""
    return (
        f"There is no delivery {delivery_id[:128]}. Succeeded ones are kept for "
        f"{settings.keep_succeeded_days:g} days, failed ones for {settings.keep_failed_days:g}, "
        "and an operator may have discarded it."
    )
