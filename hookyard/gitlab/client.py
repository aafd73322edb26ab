"""The GitLab client that handlers get: gidgetlab's, on connections of the worker's own.

It adds what gidgetlab 2.1.2 leaves out: the incoming ``X-Gitlab-Event-UUID`` goes out on every call
(GitLab's protection against loops needs that), a 429 is waited for or carries its Retry-After on to
the retry decision, and error answers on which gidgetlab falls over become its own exceptions.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http
import json
import logging
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import httpx
from gidgetlab.exceptions import BadRequest, GitLabBroken, HTTPException, InvalidField, RateLimitExceeded
from gidgetlab.httpx import GitLabAPI
from gidgetlab.sansio import RateLimit
from httpx._utils import get_environment_proxies
from httpx_retries import Retry, RetryTransport

from hookyard import GiveUp
from hookyard.gitlab.origin import ForeignAddress, GitLabAddress
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from hookyard.settings.settings import Settings

log = logs.get_logger("hookyard.gitlab")
_log = logs.stdlib_logger("hookyard.gitlab")

_PATH_LIMIT: Final = 200
_TEXT_LIMIT: Final = 300
_LEAST_WAIT_S: Final = 1.0
"""After a 429, doubled each time: GitLab names a wait of 0 too, and would be asked at once for ever."""

_LONGEST_WAIT_S: Final = 366 * 86_400.0
_MAX_ANSWER_BYTES: Final = 100 * 1024 * 1024
_DIGITS: Final = 15
_RATE_LIMIT_HEADERS: Final = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


class CallListener(Protocol):
    """Hears of each REST call."""

    def called(self, method: str, status: int | None, seconds: float, headers: Mapping[str, str]) -> None:
        """Hear of one; *status* is ``None`` when there was no answer."""


class AnswerTooLarge(GiveUp):
    """GitLab's answer, unpacked, is larger than any that is read."""


class TooManyRequests(BadRequest):
    """GitLab answered 429 and named a wait longer than this call would sit out."""

    retry_after_s: float


def open_client(
    settings: Settings,
    *,
    wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] = lambda inner: inner,
) -> httpx.AsyncClient:
    """Return the worker's own httpx client; whoever calls closes it.

    Connections that could not be made are tried again for every method; answers 502, 503 and 504
    and lost connections only for methods that may be repeated (not POST and PATCH). A 429 is
    :class:`DeliveryGitLabAPI`'s.

    :param wrap: puts something between the client and its transports.
    """
    limits = httpx.Limits(
        max_connections=settings.gitlab_connections, max_keepalive_connections=settings.gitlab_connections
    )
    retry = Retry(
        total=2,
        backoff_factor=0.3,
        max_backoff_wait=max(settings.gitlab_wait_s, 0.1),
        total_timeout=max(settings.gitlab_wait_s, 0.1),
        status_forcelist=(502, 503, 504),
    )

    def transport(proxy: str | None = None) -> httpx.AsyncBaseTransport:
        inner = httpx.AsyncHTTPTransport(retries=1, limits=limits, proxy=proxy)
        return wrap(RetryTransport(transport=inner, retry=retry))

    return httpx.AsyncClient(
        transport=transport(),
        # httpx leaves HTTPS_PROXY and its like alone where it is given a transport
        mounts={
            pattern: None if proxy is None else transport(proxy)
            for pattern, proxy in get_environment_proxies().items()
        },
        # waiting for a free connection is the handler's own time, and bounded by its timeout
        timeout=httpx.Timeout(settings.gitlab_timeout_s, pool=settings.handler_timeout_s),
    )


class DeliveryGitLabAPI(GitLabAPI):
    """gidgetlab's client for the handlers of one delivery, made in the event loop of *client*.

    A plain function may use it as well, by ``asyncio.run(gl.post(…))``: the call is then made in the loop
    that the connections belong to.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        settings: Settings,
        *,
        event_uuid: str | None,
        clock: Callable[[], float],
        metrics: CallListener | None = None,
    ) -> None:
        token = settings.access_token
        super().__init__(
            client,
            settings.requester,
            access_token=token.get_secret_value() if token else None,
            url=settings.gitlab_url,
        )
        self._address = _address(settings.gitlab_url)
        self._event_uuid = event_uuid
        self._wait_s = settings.gitlab_wait_s
        self._clock = clock
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()

    async def getiter(self, url: str, params: Mapping[str, Any] | None = None) -> AsyncGenerator[Any, None]:
        """Yield the items of a list, page after page, each once.

        gidgetlab's own one goes a call deeper for each page, and sends *params* with each link again, so that
        ``page=1`` in it never gets beyond the first.

        :raises ForeignAddress: for a link that leads out of GitLab's API, or back to a page that was read.
        """
        data, more = await self._make_request("GET", url, dict(params or {}), b"")
        seen: set[str] = set()
        while True:
            for item in data:
                yield item
            if not more:
                return
            link = self._address.rebase(more)
            if link in seen:
                raise ForeignAddress("GitLab links from page to page without end")
            seen.add(link)
            data, more = await self._make_request("GET", link, {}, b"")

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Make a call; waits out a short 429, and raises error answers itself.

        :raises ForeignAddress: for an address that is not ``GL_URL``'s.
        :raises TooManyRequests: for a 429 whose wait is longer than ``HOOKYARD_GITLAB_WAIT_S`` in all.
        """
        self._address.check(url)
        if asyncio.get_running_loop() is not self._loop:
            calling = asyncio.run_coroutine_threadsafe(self._request(method, url, headers, body), self._loop)
            return await asyncio.wrap_future(calling)
        sent = dict(headers)
        if self._event_uuid:
            sent["x-gitlab-event-uuid"] = self._event_uuid
        patience_s, least_s = self._wait_s, _LEAST_WAIT_S
        while True:
            status, answered, content = await self._call(method, url, sent, body)
            if status != http.HTTPStatus.TOO_MANY_REQUESTS:
                break
            named_s = retry_after_s(answered, now_s=self._clock())
            wait_s = max(named_s or 0.0, least_s)
            least_s *= 2
            if wait_s > patience_s:
                raise _too_many(content, named_s)
            patience_s -= wait_s
            await self.sleep(wait_s)  # not acted upon by GitLab, so safe for every method
        is_graphql = url == self.graphql_endpoint  # gidgetlab reads those answers itself
        if status >= http.HTTPStatus.BAD_REQUEST and not (is_graphql and _known(status)):
            raise error_for(status, answered, content, now_s=self._clock())
        return status, answered, content

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Make a call once; count it and log it, whatever comes of it."""
        began = time.perf_counter()
        status: int | None = None
        answered: Mapping[str, str] = {}
        try:
            status, answered, content = await self._exchange(method, url, headers, body)
        finally:
            took_s = time.perf_counter() - began
            if self._metrics:
                self._metrics.called(method, status, took_s, answered)
            if _log.isEnabledFor(logging.INFO):
                log.info(
                    "GitLab request",
                    method=method,
                    path=shown_path(url, api_url=self.api_url),
                    status=status,
                    took_ms=round(took_s * 1000),
                )
        return status, answered, content

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request and read its answer.

        :raises AnswerTooLarge: for one that would take too much memory, which a small one can once unpacked.
        """
        async with self._client.stream(method, url, headers=dict(headers), content=body) as response:
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > _MAX_ANSWER_BYTES:
                    raise AnswerTooLarge(f"GitLab's answer exceeds {_MAX_ANSWER_BYTES // 1024**2} MB")
        return response.status_code, _readable(response.headers), bytes(content)


@functools.cache
def _address(url: str) -> GitLabAddress:
    return GitLabAddress(url)


def _readable(headers: httpx.Headers) -> httpx.Headers:
    """Return *headers* without rate limits that are no numbers, on which gidgetlab would fail."""
    if all(_number(headers.get(name, "0")) is not None for name in _RATE_LIMIT_HEADERS):
        return headers
    limits = {name.encode() for name in _RATE_LIMIT_HEADERS}
    return httpx.Headers([pair for pair in headers.raw if pair[0].lower() not in limits])


def shown_path(url: str, *, api_url: str) -> str:
    """Return what of *url* may be logged: its path below GitLab's API, of other addresses the host.

    No query, where tokens are sent; other services take secrets in the path as well.
    """
    if url.startswith(api_url):
        path = "/" + url.removeprefix(api_url).partition("?")[0].partition("#")[0].lstrip("/")
        return path if len(path) <= _PATH_LIMIT else path[: _PATH_LIMIT - 1] + "…"
    with contextlib.suppress(ValueError):
        return urlsplit(url).hostname or "?"
    return "?"


def retry_after_s(headers: Mapping[str, str], *, now_s: float) -> float | None:
    """Return the wait that an answer names, by Retry-After (seconds or a date) or RateLimit-Reset.

    What cannot be read names none; a wait is at most a year.
    """
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return min(seconds, _LONGEST_WAIT_S)
    with contextlib.suppress(ValueError, TypeError, OverflowError, IndexError):
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - now_s), _LONGEST_WAIT_S)
    reset = _number(headers.get("ratelimit-reset", ""))
    if reset is not None and headers.get("ratelimit-remaining", "").strip() in {"", "0"}:
        return min(max(0.0, reset - now_s), _LONGEST_WAIT_S)
    return None


def _number(text: str) -> float | None:
    """Return a number of ordinary digits."""
    digits = text.strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else None


def error_for(status: int, headers: Mapping[str, str], content: bytes, *, now_s: float) -> HTTPException:
    """Return gidgetlab's exception for an error answer, with GitLab's own words where it has any.

    ``status_code`` is an ``HTTPStatus`` where Python knows the status, else a plain int (520 and
    other codes of proxies). ``retry_after_s`` is set where the answer names a wait.
    """
    data = _json(content)
    message = _message(data) or _phrase(status)
    code: Any = http.HTTPStatus(status) if _known(status) else status
    error: HTTPException
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        error = GitLabBroken(code, message)
    elif status == http.HTTPStatus.UNPROCESSABLE_ENTITY:
        error = InvalidField(data.get("errors") if isinstance(data, dict) else None, message)
    elif status == http.HTTPStatus.FORBIDDEN and headers.get("ratelimit-remaining", "").strip() == "0":
        error = _rate_limited(headers, message) or BadRequest(code, message)
    else:
        error = BadRequest(code, message)
    named_s = retry_after_s(headers, now_s=now_s) if status in {429, 503} else None
    if named_s is not None:
        error.retry_after_s = named_s  # type: ignore[union-attr]  # read by hookyard.host.retry
    return error


def _rate_limited(headers: Mapping[str, str], message: object) -> RateLimitExceeded | None:
    with contextlib.suppress(ValueError):
        limit = RateLimit.from_http(headers)
        return RateLimitExceeded(limit, message) if limit else None
    return None


def _too_many(content: bytes, named_s: float | None) -> TooManyRequests:
    error = TooManyRequests(
        http.HTTPStatus.TOO_MANY_REQUESTS, _message(_json(content)) or "GitLab's rate limit is used up"
    )
    if named_s is not None:
        error.retry_after_s = named_s
    return error


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _message(data: object) -> object:
    """Return GitLab's words: ``message`` (text, list or mapping), or ``error`` and its description."""
    if not isinstance(data, dict):
        return None
    text = data.get("message") or data.get("error_description") or data.get("error")
    return text[:_TEXT_LIMIT] if isinstance(text, str) else text


def _known(status: int) -> bool:
    return status in http.HTTPStatus._value2member_map_


def _phrase(status: int) -> str:
    return http.HTTPStatus(status).phrase if _known(status) else f"status {status}"
