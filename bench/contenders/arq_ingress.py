"""Stock arq at the door: gidgetlab parses, ``enqueue_job`` keeps, GitLab's id is the job's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from arq import create_pool
from arq.connections import RedisSettings
from gidgetlab.sansio import Event
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
    """Open the pool and close it."""
    app.state.redis = await create_pool(RedisSettings.from_dsn(REDIS_URL))
    yield
    await app.state.redis.aclose()


async def receive(request: Request) -> Response:
    """Answer 202 when the job is in Redis."""
    event = Event.from_http(request.headers, await request.body(), secret=SECRET)
    await request.app.state.redis.enqueue_job(
        "handle", event.event, event.data, _job_id=request.headers["webhook-id"]
    )
    return Response(status_code=202)


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/", receive, methods=["POST"])], lifespan=lifespan))
