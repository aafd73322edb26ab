"""The bot without a queue: gidgetlab parses, a background task dispatches, nothing is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gidgetlab.sansio import Event
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.routing import Route

from bench.contenders.given import SECRET, router
from bench.contenders.serving import serve

if TYPE_CHECKING:
    from starlette.requests import Request

bot = router()


async def receive(request: Request) -> Response:
    """Answer 200, then run the handlers."""
    event = Event.from_http(request.headers, await request.body(), secret=SECRET)
    return Response(background=BackgroundTask(bot.dispatch, event, None))


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/", receive, methods=["POST"])]))
