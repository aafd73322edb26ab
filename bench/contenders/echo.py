"""The limit: Starlette reads the body and answers 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bench.contenders.serving import serve

if TYPE_CHECKING:
    from starlette.requests import Request


async def receive(request: Request) -> Response:
    """Answer 200."""
    await request.body()
    return Response()


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/", receive, methods=["POST"])]))
