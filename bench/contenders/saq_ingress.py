"""SAQ at the door: gidgetlab parses, ``enqueue`` keeps, GitLab's id is the job's key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gidgetlab.sansio import Event
from saq import Queue  # type: ignore[import-not-found,unused-ignore]  # installed for the bench alone
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bench.contenders.given import REDIS_URL, SECRET
from bench.contenders.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the queue and close it."""
    app.state.queue = Queue.from_url(REDIS_URL)
    yield
    await app.state.queue.disconnect()


async def receive(request: Request) -> Response:
    """Answer 202 when the job is in Redis."""
    event = Event.from_http(request.headers, await request.body(), secret=SECRET)
    await request.app.state.queue.enqueue(
        "handle", key=request.headers["webhook-id"], name=event.event, data=event.data
    )
    return Response(status_code=202)


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/", receive, methods=["POST"])], lifespan=lifespan))
