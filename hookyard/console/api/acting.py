"""Routes of the API that change something: for operators, once for each idempotency key, audited."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Path
from pydantic import BaseModel, ConfigDict, Field

from hookyard.console import filters
from hookyard.console.access import Operator, Viewer
from hookyard.console.actions import Actions
from hookyard.console.answers import NotThere, documented
from hookyard.console.api import schemas
from hookyard.console.api.reading import DeliveryId, Given
from hookyard.ledger.query import Filter
from hookyard.ledger.records import DELIVERY_ID

router = APIRouter()

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same request with the same key is carried out once, for a day.",
    ),
]
OrderId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
STATES: Final = {"pause": "paused", "resume": "running", "stop": "stopped"}


class ReplayRequest(BaseModel):
    """How a delivery is to run again."""

    model_config = ConfigDict(extra="forbid")

    what: Annotated[
        Literal["all", "failed"], Field(description="All handlers, or only those without a success.")
    ] = "failed"


class DeliverRequest(BaseModel):
    """A delivery that is made by hand."""

    model_config = ConfigDict(extra="forbid")

    event: Annotated[str, Field(min_length=1, max_length=200, pattern="^[ -~]+$", examples=["Issue Hook"])]
    body: Annotated[dict[str, Any], Field(description="What a webhook would have as its body.")]
    parent: Annotated[
        str | None,
        Field(max_length=128, pattern=DELIVERY_ID.pattern, description="The delivery that it stands for."),
    ] = None


class OrderRequest(BaseModel):
    """A bulk order for all that a filter means now."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["replay", "replay failed", "discard"]
    filter: Annotated[
        str, Field(min_length=1, max_length=filters.LONGEST, examples=["state:failed since:2h"])
    ]


@router.post("/deliveries", status_code=202, responses=documented(404, 409, 422))
async def deliver(
    who: Operator, given: Given, request: DeliverRequest, idempotency_key: IdempotencyKey = None
) -> schemas.AnswerDocument:
    """Make a delivery by hand, as that of another with another body."""
    key = None if idempotency_key is None else f"deliver {request.event} {idempotency_key}"
    body = json.dumps(request.body).encode()
    actions = Actions(services=given, who=who)
    return _typed(await actions.deliver(request.event, body, parent=request.parent, key=key))


@router.post("/deliveries/{delivery_id}/replay", responses=documented(400, 404, 409, 422))
async def replay_delivery(
    who: Operator,
    given: Given,
    delivery_id: DeliveryId,
    request: ReplayRequest,
    idempotency_key: IdempotencyKey = None,
) -> schemas.AnswerDocument:
    """Run a delivery again."""
    key = None if idempotency_key is None else f"replay {delivery_id} {request.what} {idempotency_key}"
    return _typed(await Actions(services=given, who=who).replay(delivery_id, request.what, key=key))


@router.post("/deliveries/{delivery_id}/discard", responses=documented(404, 409, 422))
async def discard_delivery(
    who: Operator, given: Given, delivery_id: DeliveryId, idempotency_key: IdempotencyKey = None
) -> schemas.AnswerDocument:
    """Remove a delivery and everything kept of it."""
    key = None if idempotency_key is None else f"discard {delivery_id} {idempotency_key}"
    return _typed(await Actions(services=given, who=who).discard(delivery_id, key=key))


@router.post("/orders", status_code=202, responses=documented(400, 409, 422))
async def give_order(
    who: Operator, given: Given, request: OrderRequest, idempotency_key: IdempotencyKey = None
) -> schemas.OrderIdDocument:
    """Give a bulk order; it is carried out step by step, and can be paused and stopped."""
    wanted = filters.parse(request.filter, now_ms=await given.store.now_ms())
    if wanted == Filter():
        raise filters.FilterError("a bulk order needs a filter, such as state:failed")
    key = None if idempotency_key is None else f"order {request.kind} {request.filter} {idempotency_key}"
    actions = Actions(services=given, who=who)
    answer = await actions.order(request.kind, wanted, request.filter, key=key)
    return {"id": str(answer["id"])}


@router.get("/orders", responses=documented())
async def list_orders(_who: Viewer, given: Given) -> schemas.OrdersDocument:
    """List the bulk orders given last."""
    return {"orders": [schemas.order(order) for order in await given.orders.latest()]}


@router.get("/orders/{order_id}", responses=documented(404, 422))
async def show_order(_who: Viewer, given: Given, order_id: OrderId) -> schemas.OrderDocument:
    """Show a bulk order."""
    order = await given.orders.get(order_id)
    if order is None:
        raise NotThere(f"There is no order {order_id}. Orders are kept for 30 days.")
    return schemas.order(order)


@router.post("/orders/{order_id}/{action}", responses=documented(404, 409, 422))
async def steer_order(
    who: Operator, given: Given, order_id: OrderId, action: Literal["pause", "resume", "stop"]
) -> schemas.OrderDocument:
    """Pause, resume or stop a bulk order."""
    return schemas.order(await Actions(services=given, who=who).steer(order_id, STATES[action]))


def _typed(answer: dict[str, Any]) -> schemas.AnswerDocument:
    return {"id": answer["id"], "answer": answer["answer"]}
