"""Posting a delivery the way GitLab does: once, ten seconds, no retry, a new connection each time.

Limits and redirects: https://docs.gitlab.com/user/project/integrations/webhooks/ and the behaviour of
the HTTP library under it (up to five redirects; 301, 302 and 303 turn the POST into a GET).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 10.0
MAX_REDIRECTS = 5
MAX_RESPONSE_BYTES = 104 * 1024 * 1024
KEPT_RESPONSE_BYTES = 8 * 1024
MAX_PORT = 65_535
DELETE = 0x7F
TRANSPORT_HEADERS = {
    "Accept-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    "Accept": "*/*",
    "Connection": "close",
}


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The receiver answered; `body` is the start of what it said, as text."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    body: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Nobody listens at the address."""


@dataclass(frozen=True, kw_only=True)
class TimedOut:
    """No whole answer within `TIMEOUT_S`."""


@dataclass(frozen=True, kw_only=True)
class Unsendable:
    """The URL or a header cannot be sent; `why` names which, without its value."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The connection broke, or TLS, or a chain of redirects; `why` is the kind of failure."""

    why: str


Ending = Answered | Refused | TimedOut | Unsendable | Broken


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How a delivery ended, and after how many milliseconds."""

    ending: Ending
    duration_ms: int

    @property
    def ok(self) -> bool:
        """Whether the receiver took it: an answer with 2xx."""
        return isinstance(self.ending, Answered) and 200 <= self.ending.status < 300  # noqa: PLR2004

    @property
    def counts_as_success(self) -> bool:
        """Whether GitLab forgets the hook's failures: for 2xx, and for 3xx that leads nowhere."""
        return isinstance(self.ending, Answered) and 200 <= self.ending.status < 400  # noqa: PLR2004


def open_client(*, verify: bool = True, reused: int = 0) -> httpx.AsyncClient:
    """Return a client with GitLab's limits that ignores proxy settings and cookies; the caller closes it.

    `verify` is a hook's `enable_ssl_verification`. `reused` is how many connections are kept for the next
    delivery: GitLab keeps none.
    """
    client = httpx.AsyncClient(
        timeout=TIMEOUT_S,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        headers={} if reused else TRANSPORT_HEADERS,
        trust_env=False,
        verify=verify,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=reused),
    )
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


async def post(client: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
    """Send one delivery and say how that ended; never raises for what the network or receiver does."""
    started_s = time.monotonic()
    ending = await _post(client, url, headers, body)
    return Sent(ending=ending, duration_ms=round((time.monotonic() - started_s) * 1000))


async def _post(client: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes) -> Ending:
    if (why := _why_unsendable(url, headers)) is not None:
        return Unsendable(why=why)
    raw_headers = [
        (name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers.items()
    ]
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            client.stream("POST", url, headers=raw_headers, content=body) as response,
        ):
            return await _answered(response)
    except (TimeoutError, httpx.TimeoutException):
        return TimedOut()
    except httpx.ConnectError as error:
        return Refused() if _is_refusal(error) else Broken(why=f"cannot connect: {error}")
    except httpx.TooManyRedirects:
        return Broken(why=f"more than {MAX_REDIRECTS} redirects")
    except (httpx.HTTPError, httpx.InvalidURL, OverflowError) as error:  # the latter two: a bad redirect
        return Broken(why=type(error).__name__)


async def _answered(response: httpx.Response) -> Ending:
    """Read an answer to its end, and keep its beginning."""
    kept, size = b"", 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            return Broken(why=f"the response is larger than {MAX_RESPONSE_BYTES} bytes")
        if len(kept) <= KEPT_RESPONSE_BYTES:
            kept += chunk[: KEPT_RESPONSE_BYTES + 1]  # one more, to tell that it was longer
    return Answered(
        status=response.status_code, headers=dict(response.headers), body=kept.decode("utf-8", "replace")
    )


def _why_unsendable(url: str, headers: Mapping[str, str]) -> str | None:
    """What makes a request that must not even be tried: httpx would raise all sorts of errors for it."""
    try:
        to = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        to = httpx.URL("")
    if to.scheme not in ("http", "https") or not to.host or (to.port or 1) > MAX_PORT:
        return f"{url} is no address that a webhook can go to, such as http://127.0.0.1:8000/"
    for name, value in headers.items():
        if any(ord(letter) < ord(" ") or ord(letter) == DELETE for letter in value):
            return f"the header {name} holds a character that HTTP does not allow"
    return None


def _is_refusal(error: BaseException) -> bool:
    """Whether a connection failed for want of a listener, at any depth of its causes."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError):
            return True
        if isinstance(seen, ExceptionGroup):
            return any(_is_refusal(one) for one in seen.exceptions)
        seen = seen.__cause__ or seen.__context__
    return False
