"""Run the handlers of one delivery in this process, for ``hookyard try``: nothing is stored.

The host is the same as in production, but its limits of time are off, so that ``breakpoint()`` has all the
time there is. Policies that concern the fleet (turns, rates, delays) are not asked.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
from msgspec.structs import replace

from hookyard.host.clock import boot_s
from hookyard.host.host import Host
from hookyard.host.messages import Ended, Invoke, Open, Opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from gidgetlab.routing import Router

    from hookyard.host.messages import HandlerInfo
    from hookyard.ledger.records import Delivery
    from hookyard.settings.settings import Settings

_NO_LIMIT_S = 86_400.0


class _Reports:
    """The other end of the host's link: keeps the answers that are waited for."""

    def __init__(self) -> None:
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    def send(self, message: Any) -> None:
        """Take a report of the host's."""
        if isinstance(message, Opened | Ended):
            self._answers.put_nowait(message)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def next(self) -> Any:
        """Return the next answer."""
        return await self._answers.get()


class DryRun(httpx.AsyncBaseTransport):
    """Lets calls that read pass; tells of those that write, and answers with what they would have written."""

    def __init__(self, inner: httpx.AsyncBaseTransport, tell: Callable[[str, str, Any], None]) -> None:
        self._inner = inner
        self._tell = tell

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.method in {"GET", "HEAD", "OPTIONS"}:
            return await self._inner.handle_async_request(request)
        await request.aread()
        try:
            body = json.loads(request.content) if request.content else None
        except ValueError:
            body = request.content.decode(errors="replace")
        self._tell(request.method, request.url.raw_path.decode(), body)
        answer = body if isinstance(body, dict) else {}
        return httpx.Response(200, json={"id": 0, "iid": 0, **answer}, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


async def try_delivery(
    router: Router,
    settings: Settings,
    delivery: Delivery,
    *,
    attempt: int = 1,
    wrote: Callable[[str, str, Any], None] | None = None,
    begins: Callable[[HandlerInfo], None],
    ended: Callable[[HandlerInfo, Ended], None],
) -> int:
    """Run each handler that wants *delivery* once, one after the other; return how many there are.

    :param wrote: where it is given, calls that write are not made but told: method, path and body.
    :raises hookyard.host.host.NotUsable: when the handlers cannot be run.
    :raises ValueError: when the event cannot be rebuilt.
    """
    settings = settings.model_copy(update={"handler_timeout_s": _NO_LIMIT_S})
    host = Host(router, settings)
    host.registry.infos = tuple(replace(info, timeout_s=None) for info in host.registry.infos)
    reports: Any = _Reports()
    if wrote is not None:
        host.wrap_transport(lambda inner: DryRun(inner, wrote))
    try:
        await host.open()
        host.connect(reports)
        host.receive(
            Open(
                run=1,
                delivery_id=delivery.id,
                event=delivery.event,
                content_type=delivery.content_type,
                body=delivery.body,
                received_ms=delivery.received_ms,
                event_uuid=delivery.event_uuid,
                parent=delivery.parent,
                source=delivery.source,
                redacted=delivery.redacted,
            )
        )
        opened = await reports.next()
        if opened.error is not None:
            raise ValueError(opened.error)
        for number, place in enumerate(opened.handlers):
            info = host.registry.infos[place]
            begins(info)
            host.receive(Invoke(run=1, place=number, attempt=attempt, start_by=boot_s() + _NO_LIMIT_S))
            ended(info, await reports.next())
        return len(opened.handlers)
    finally:
        await host.close()
