"""What only a worker can find out about its surroundings, as JSON: ``hookyard check`` runs and judges it.

It reports and does not judge: whether the handlers load and what they are for, whether GitLab answers
and takes the token. Loading the handlers runs their code, which is why it is not the console's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import redirect_stdout, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from gidgetlab.exceptions import GitLabException
from gidgetlab.routing import Router

from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
from hookyard.gitlab.errors import why_it_failed
from hookyard.host.routing import HandlersError, handler_name, load_router
from hookyard.settings.settings import load_or_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from hookyard.settings.settings import Settings

_TROUBLE: Final = (GitLabException, httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError)
_UNAUTHORIZED: Final = 401
_HALF_S: Final = 0.5  # a Date is cut off to whole seconds: half of one is lost on average


class _Collecting(Router):
    """A router that notes what a router has registered: gidgetlab's constructor adds it all here."""

    def __init__(self, router: Router) -> None:
        self.found: dict[str, list[str]] = {}
        super().__init__(router)

    def add(self, func: Callable[..., Any], event_type: str, **object_attribute: Hashable) -> None:
        """Note a registration."""
        wanted = "".join(f" ({key}={value})" for key, value in object_attribute.items())
        self.found.setdefault(handler_name(func), []).append(f"{event_type}{wanted}")


def handlers_report(import_string: str) -> dict[str, Any]:
    """Return each handler and the events it is for, or ``error``."""
    try:
        with redirect_stdout(sys.stderr):  # a bot may print while it is imported
            router = load_router(import_string)
    except HandlersError as exc:
        return {"import_string": import_string, "error": str(exc), "handlers": {}}
    return {"import_string": import_string, "error": None, "handlers": _Collecting(router).found}


async def gitlab_report(client: httpx.AsyncClient, settings: Settings) -> dict[str, Any]:
    """Return whether GitLab answers, its version, whose token this is, and how far its clock is ahead.

    ``answers`` is true for any answer of the API, also for a refusal. Without a token GitLab does not
    tell its version, and ``token`` is ``null``. ``clock_ahead_s`` is ``null`` where no answer had a Date.
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
    except _TROUBLE as exc:
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
    """Add what the token says of itself, as far as it may."""
    with suppress(*_TROUBLE):  # an OAuth token, or a GitLab before 15.5
        found = await gl.getitem("/personal_access_tokens/self")
        token |= {"scopes": _field(found, "scopes"), "expires_at": _field(found, "expires_at")}
    with suppress(*_TROUBLE):  # a token without read_user
        token["user"] = _field(await gl.getitem("/user"), "username")


def _field(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict):
        message = "not GitLab's API: the answer is no JSON object"
        raise ValueError(message)  # noqa: TRY004 - said of what came over the wire, like bad JSON
    return answer.get(name)


def _status(exc: Exception) -> int | None:
    status = getattr(exc, "status_code", None)
    return None if status is None else int(status)


async def _gitlab(settings: Settings) -> dict[str, Any]:
    async with open_client(settings) as client:
        return await gitlab_report(client, settings)


def main() -> int:
    """Print the reports as one JSON object. Gives the exit code."""
    settings = load_or_exit()
    try:
        report = {"handlers": handlers_report(settings.handlers), "gitlab": asyncio.run(_gitlab(settings))}
    except KeyboardInterrupt:
        return 130
    json.dump(report, sys.stdout)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
