"""A GitLab REST call, read from a command line and made with the client that handlers get.

The token goes to ``GL_URL``'s host and nowhere else.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from hookyard.gitlab.client import DeliveryGitLabAPI, open_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hookyard.settings.settings import Settings

_FIELD: Final = re.compile(r"(?P<key>[^=:][^=]*?)(?P<how>:=|=)(?P<value>.*)", re.DOTALL)
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class UsageError(Exception):
    """The call cannot be made as it was written; the text says why."""


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """A call to be made; ``path`` is relative to the API's address."""

    method: str
    path: str
    fields: dict[str, Any]
    paginate: bool = False


def read_call(method: str, path: str, fields: Sequence[str], *, paginate: bool, gitlab_url: str) -> ApiCall:
    """Return the call that was typed.

    :param path: with or without ``/``, ``/api/v4`` or GitLab's whole address before it.
    :raises UsageError: saying what cannot be understood.
    """
    method = method.upper()
    if method not in _METHODS:
        raise UsageError(f"{method} is not a method of GitLab's API; use one of {', '.join(_METHODS)}")
    if paginate and method != "GET":
        raise UsageError(f"--paginate works with GET only, not with {method}")
    api_url = f"{gitlab_url}/api/v4/"
    relative = re.sub(r"^/*(api/v4(/|$))?", "", path.removeprefix(gitlab_url))
    if not urljoin(api_url, relative).startswith(api_url):
        raise UsageError(f"{path} leads away from {api_url}, the only address that gets the token")
    return ApiCall(method=method, path=relative, fields=read_fields(fields), paginate=paginate)


def read_fields(texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of ``key=value`` (text) and ``key:=json``; a repeated key makes a list.

    :raises UsageError: for a text that is neither.
    """
    fields: dict[str, Any] = {}
    for text in texts:
        found = _FIELD.fullmatch(text)
        if not found:
            raise UsageError(f"{text} is neither KEY=VALUE nor KEY:=JSON")
        value: Any = found["value"]
        if found["how"] == ":=":
            try:
                value = json.loads(value)
            except ValueError:
                raise UsageError(
                    f"{text}: the value after := is not JSON; for text write {found['key']}=…"
                ) from None
        key = found["key"]
        if key in fields:
            before = fields[key]
            value = [*(before if isinstance(before, list) else [before]), value]
        fields[key] = value
    return fields


async def make_call(call: ApiCall, settings: Settings) -> Any:
    """Make the call and return GitLab's answer.

    :raises UsageError: when the answer to a paginated call is not a list.
    """
    async with open_client(settings) as client:
        return await answer_of(call, DeliveryGitLabAPI(client, settings, event_uuid=None, clock=time.time))


async def answer_of(call: ApiCall, gl: DeliveryGitLabAPI) -> Any:
    """Return GitLab's answer to a call by *gl*, ``None`` where it has no body."""
    if call.paginate:
        items = [item async for item in gl.getiter(call.path, _as_query(call.fields))]
        if items and all(isinstance(item, str) for item in items):
            raise UsageError(f"{call.path} is a single object, not a list: leave out --paginate")
        return items
    if call.method == "GET":
        return await gl.getitem(call.path, _as_query(call.fields))
    if call.method == "HEAD":
        return dict(await gl.head(call.path, _as_query(call.fields)))
    senders: dict[str, Callable[..., Awaitable[Any]]] = {
        "POST": gl.post,
        "PUT": gl.put,
        "PATCH": gl.patch,
        "DELETE": gl.delete,
    }
    return await senders[call.method](call.path, data=call.fields or b"")


def _as_query(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* as a query spells them: ``true``, not ``True``."""
    return {
        key: value if isinstance(value, (str, list)) else json.dumps(value) for key, value in fields.items()
    }
