"""Forms of pages: replay, discard, bulk orders. Each is carried out once, however often it is sent."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request, Response

from hookyard.console import filters
from hookyard.console.access import Operator
from hookyard.console.actions import Actions, find
from hookyard.console.answers import Conflict, NotThere
from hookyard.console.api.acting import STATES, OrderId
from hookyard.console.api.reading import MOST_LISTED, DeliveryId, Given
from hookyard.console.pages.rendering import render, see
from hookyard.ledger.query import Filter

router = APIRouter()

MOST_EDITED: Final = 200_000
"""A longer body cannot be edited on a page."""

Key = Annotated[str, Form(min_length=8, max_length=64)]
Kind = Literal["replay", "replay failed", "discard"]


@router.post("/deliveries/{delivery_id}/replay")
async def replay(
    who: Operator,
    given: Given,
    delivery_id: DeliveryId,
    what: Annotated[Literal["all", "failed"], Form()],
    key: Key,
) -> Response:
    """Run a delivery again, and show it."""
    await Actions(services=given, who=who).replay(delivery_id, what, key=f"{key} {delivery_id} {what}")
    return see(f"/deliveries/{quote(delivery_id)}")


@router.post("/deliveries/{delivery_id}/edited")
async def deliver_edited(
    who: Operator,
    given: Given,
    delivery_id: DeliveryId,
    body: Annotated[str, Form(min_length=1, max_length=MOST_EDITED)],
    key: Key,
) -> Response:
    """Deliver a delivery's event with another body, as a new delivery, and show that."""
    before = await find(given, delivery_id)
    answer = await Actions(services=given, who=who).deliver(
        before.delivery.event, body.encode(), parent=delivery_id, key=f"{key} {delivery_id} edited"
    )
    return see(f"/deliveries/{quote(answer['id'])}")


@router.post("/deliveries/{delivery_id}/discard")
async def discard(who: Operator, given: Given, delivery_id: DeliveryId, key: Key) -> Response:
    """Discard a delivery, and show the others."""
    await Actions(services=given, who=who).discard(delivery_id, key=f"{key} {delivery_id} discard")
    return see("/deliveries")


@router.post("/deliveries/selected")
async def act_on_selected(
    who: Operator,
    given: Given,
    kind: Annotated[Kind, Form()],
    key: Key,
    ids: Annotated[list[str] | None, Form(max_length=MOST_LISTED)] = None,
    q: Annotated[str, Form(max_length=filters.LONGEST)] = "",
) -> Response:
    """Replay or discard the deliveries that were ticked, and show the list again."""
    actions = Actions(services=given, who=who)
    for one in dict.fromkeys(ids or ()):
        try:
            if kind == "discard":
                await actions.discard(one, key=f"{key} {one} discard")
            else:
                what = "failed" if kind == "replay failed" else "all"
                await actions.replay(one, what, key=f"{key} {one} {what}")
        except (Conflict, NotThere):
            continue  # what is gone or cannot run again stands in the list as it is
    return see(f"/deliveries?{urlencode({'q': q})}")


@router.post("/orders/prepare")
async def prepare_order(
    request: Request,
    _who: Operator,
    given: Given,
    kind: Annotated[Kind, Form()],
    q: Annotated[str, Form(max_length=filters.LONGEST)],
    key: Key,
) -> Response:
    """Show what a bulk order would meet, before it is given."""
    now_ms = await given.store.now_ms()
    wanted = filters.parse(q, now_ms=now_ms)
    if wanted == Filter():
        raise filters.FilterError("a bulk order needs a filter, such as state:failed")
    page = await given.search.page(wanted, limit=10)
    return render(
        request,
        "order_prepare.html",
        now_ms=now_ms,
        kind=kind,
        q=q,
        key=key,
        page=page,
        count=await given.search.count(wanted),
    )


@router.post("/orders")
async def give_order(
    who: Operator,
    given: Given,
    kind: Annotated[Kind, Form()],
    q: Annotated[str, Form(max_length=filters.LONGEST)],
    key: Key,
) -> Response:
    """Give a bulk order, and show its page."""
    wanted = filters.parse(q, now_ms=await given.store.now_ms())
    if wanted == Filter():
        raise filters.FilterError("a bulk order needs a filter, such as state:failed")
    answer = await Actions(services=given, who=who).order(kind, wanted, q, key=f"{key} order {kind}")
    return see(f"/orders/{answer['id']}")


@router.post("/orders/{order_id}/{action}")
async def steer_order(
    who: Operator, given: Given, order_id: OrderId, action: Literal["pause", "resume", "stop"]
) -> Response:
    """Pause, resume or stop a bulk order, and show its page."""
    await Actions(services=given, who=who).steer(order_id, STATES[action])
    return see(f"/orders/{order_id}")
