"""A look at GitLab for ``hookyard check``: does it answer, does it take the token, what time is it there.

Only reports; :mod:`hookyard.cli.check.rules` judges.
"""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from gidgetlab.exceptions import GitLabException

from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
from hookyard.gitlab.errors import why_it_failed

if TYPE_CHECKING:
    from hookyard.settings.settings import Settings

_ERRORS: Final = (GitLabException, httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError)
_UNAUTHORIZED: Final = 401
_HALF_S: Final = 0.5  # a Date is cut to whole seconds: half of one is lost on average


async def gitlab_report(client: httpx.AsyncClient, settings: Settings) -> dict[str, Any]:
    """Return whether GitLab answers, its version, whose token this is, and how far its clock is ahead.

    ``answers`` is true for any answer of the API, also for a refusal. Without a token GitLab keeps its
    version to itself, and ``token`` is ``None``. ``clock_ahead_s`` is ``None`` where no answer had a Date.
    """
    report: dict[str, Any] = {"url": settings.gitlab_url, "answers": True, "error": None, "version": None}
    report["clock_ahead_s"] = None
    token: dict[str, Any] | None = None
    if settings.access_token:
        token = {"valid": None, "user": None, "scopes": None, "expires_at": None}
    report["token"] = token

    async def look_at_date(answer: httpx.Response) -> None:
        with suppress(ValueError, TypeError, KeyError):
            told_s = parsedate_to_datetime(answer.headers["date"]).timestamp()
            report["clock_ahead_s"] = round(told_s + _HALF_S - time.time(), 1)

    client.event_hooks["response"].append(look_at_date)
    gl = DeliveryGitLabAPI(client, settings, event_uuid=None, clock=time.time)
    try:
        report["version"] = _field(await gl.getitem("/version"), "version")
        if token is not None:
            token["valid"] = True
    except _ERRORS as exc:
        status = _status(exc)
        if status == _UNAUTHORIZED:
            if token is not None:
                token["valid"] = False
        else:
            report |= {
                "answers": status is not None,
                "error": why_it_failed(exc, gitlab_url=settings.gitlab_url),
            }
    if token is not None and token["valid"]:
        await _look_at_token(gl, token)
    return report


async def _look_at_token(gl: DeliveryGitLabAPI, token: dict[str, Any]) -> None:
    """Add the token's scopes, expiry and user, as far as it may read them."""
    with suppress(*_ERRORS):  # an OAuth token, or a GitLab before 15.5
        found = await gl.getitem("/personal_access_tokens/self")
        token |= {"scopes": _field(found, "scopes"), "expires_at": _field(found, "expires_at")}
    with suppress(*_ERRORS):  # a token without read_user
        token["user"] = _field(await gl.getitem("/user"), "username")


def _field(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict):
        message = "this is not GitLab's API: the answer is not a JSON object"
        raise ValueError(message)  # noqa: TRY004 - about data from the wire, like bad JSON
    return answer.get(name)


def _status(exc: Exception) -> int | None:
    status = getattr(exc, "status_code", None)
    return None if status is None else int(status)


async def look_at_gitlab(settings: Settings) -> dict[str, Any]:
    """Return :func:`gitlab_report` by a client of its own."""
    async with open_client(settings) as client:
        return await gitlab_report(client, settings)
