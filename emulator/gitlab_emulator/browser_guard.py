"""Refusing what a web page makes a reader's browser send here.

The emulator believes anybody who reaches it, and a browser reaches loopback for any page. A page gives
itself away in one of two ways. Across sites, the browser says so in `Sec-Fetch-Site` or `Origin`. After
DNS rebinding, when the page's own name points here, `Host` is that name: a name of the public Internet,
with a dot and no suffix that is kept for private use. Programs send whatever `Host` they were given, and
neither of the other two.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PRIVATE_SUFFIXES = (".test", ".example", ".invalid", ".localhost", ".local", ".internal", ".home.arpa")
"""Nobody can have a name under these point anywhere for others (RFC 2606, 6761, 6762, 8375; ICANN)."""


class BrowserGuard:
    """Hands on what no foreign page has caused, and answers 403 to the rest.

    `hosts` are further names under which the emulator is called, such as its external URL's.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        fault = None
        if not self._is_ours(headers.get("host", "")):
            fault = "the emulator is not called by this Host; name it with --external-url"
        elif scope["method"] not in SAFE_METHODS and not is_from_here(headers):
            fault = "this request was sent by a page of another site"
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"message": f"403 Forbidden - {fault}"}, status_code=403)(scope, receive, send)

    def _is_ours(self, value: str) -> bool:
        host = hostname(f"//{value}")
        if value and not host:
            return False
        if "." not in host or host in self.hosts or host.endswith(PRIVATE_SUFFIXES):
            return True  # a name without a dot is one of this machine, this network or this Compose file
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True


def is_from_here(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a page of ours, or from no browser at all."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def hostname(url: str) -> str:
    """The host in a URL, in lower case; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
