"""One GitLab REST call with the client that handlers get: what ``hookyard api`` runs.

``key=value`` become the query of a GET, a JSON body otherwise; ``key:=json`` sends what is no text;
a key that comes twice sends a list. The token never leaves for another host than ``GL_URL``'s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import httpx
from gidgetlab.exceptions import GitLabException
from rich.console import Console

from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
from hookyard.gitlab.errors import why_it_failed
from hookyard.settings.settings import load_or_exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hookyard.settings.settings import Settings

_FIELD: Final = re.compile(r"(?P<key>[^=:][^=]*?)(?P<how>:=|=)(?P<value>.*)", re.DOTALL)
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_FAILED: Final = 1
_WRONG_USE: Final = 2


class WrongUse(Exception):
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
    :raises WrongUse: saying what cannot be understood.
    """
    method = method.upper()
    if method not in _METHODS:
        message = f"{method} is no method of GitLab's API; there are {', '.join(_METHODS)}"
        raise WrongUse(message)
    if paginate and method != "GET":
        message = f"--paginate goes with GET, not with {method}"
        raise WrongUse(message)
    api_url = f"{gitlab_url}/api/v4/"
    relative = re.sub(r"^/*(api/v4(/|$))?", "", path.removeprefix(gitlab_url))
    if not urljoin(api_url, relative).startswith(api_url):
        message = f"{path} leads away from {api_url}, where the token belongs"
        raise WrongUse(message)
    return ApiCall(method=method, path=relative, fields=read_fields(fields), paginate=paginate)


def read_fields(texts: Sequence[str]) -> dict[str, Any]:
    """Return what ``key=value`` and ``key:=json`` say.

    :raises WrongUse: for one that is neither.
    """
    fields: dict[str, Any] = {}
    for text in texts:
        found = _FIELD.fullmatch(text)
        if not found:
            message = f"{text} is neither key=value nor key:=json"
            raise WrongUse(message)
        value: Any = found["value"]
        if found["how"] == ":=":
            try:
                value = json.loads(value)
            except ValueError:
                message = f"{text}: what follows := is no JSON; for a text write {found['key']}=…"
                raise WrongUse(message) from None
        key = found["key"]
        if key in fields:
            before = fields[key]
            value = [*(before if isinstance(before, list) else [before]), value]
        fields[key] = value
    return fields


async def answer_of(call: ApiCall, gl: DeliveryGitLabAPI) -> Any:
    """Make the call and return GitLab's answer, ``None`` where it has no body."""
    if call.paginate:
        items = [item async for item in gl.getiter(call.path, _as_query(call.fields))]
        if items and all(isinstance(item, str) for item in items):
            message = f"{call.path} is one thing, not a list: leave --paginate out"
            raise WrongUse(message)
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


async def _run(call: ApiCall, settings: Settings) -> Any:
    async with open_client(settings) as client:
        return await answer_of(call, DeliveryGitLabAPI(client, settings, event_uuid=None, clock=time.time))


def _print(answer: Any) -> None:
    if answer is None or answer == "":
        return
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    if sys.stdout.isatty():
        Console(highlight=False).print_json(json.dumps(answer))
    else:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def main() -> int:
    """Make the call that the command line says and print the answer. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="hookyard api", description=__doc__)
    parser.add_argument("--paginate", action="store_true", help="follow a list to its end")
    parser.add_argument("method")
    parser.add_argument("path")
    parser.add_argument("fields", nargs="*", metavar="key=value")
    given = parser.parse_intermixed_args()
    settings = load_or_exit()
    try:
        call = read_call(
            given.method,
            given.path,
            given.fields,
            paginate=given.paginate,
            gitlab_url=settings.gitlab_url,
        )
        _print(asyncio.run(_run(call, settings)))
    except WrongUse as exc:
        sys.stderr.write(f"{exc}\n")
        return _WRONG_USE
    except (GitLabException, httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError) as exc:
        sys.stderr.write(why_it_failed(exc, gitlab_url=settings.gitlab_url) + "\n")
        return _FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
