"""Closing a connection without an answer, for which ASGI has no word.

A server that sees an application return or fail without an answer sends a 500 in its place. So the
connection itself is cut: uvicorn's `receive` is a method of an object that holds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from starlette.types import Receive


async def drop_connection(receive: Receive) -> None:
    """Cut the connection that a request came by, and return when the server has noticed.

    Under anything but uvicorn, such as a test's ASGI transport, raises what httpx raises when a server
    hangs up: the client in such a test then sees just that.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
