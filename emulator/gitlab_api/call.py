"""What goes into an API function and what comes out of it.

Status codes and error bodies: https://docs.gitlab.com/api/rest/troubleshooting/ ; the wording of each
is GitLab's own, since clients show it and some match on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from emulator.state import State, User

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One authorised REST call.

    `ids` are the decoded parts of the path that the route names, `params` query and body together.
    `base_url` is where people reach this GitLab, without a slash at the end; `url` is that plus the
    request's path, `query` the pairs after it (both for Link headers).
    """

    state: State
    user: User
    ids: Mapping[str, str]
    params: Mapping[str, Any]
    base_url: str
    url: str
    query: tuple[tuple[str, str], ...]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, JSON body (None: no body) and headers of an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Ends a call with an error answer: `status` and a JSON body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


Function = Callable[[Call], Answer]


def not_found(what: str | None = None) -> Refusal:
    """404; GitLab names the kind of thing for some (`404 Project Not Found`) and not for others."""
    return Refusal(404, {"message": f"404 {what} Not Found" if what else "404 Not found"})


def bad_parameter(text: str) -> Refusal:
    """400 for a parameter that is missing or of the wrong shape."""
    return Refusal(400, {"error": text})


def bad_value(name: str, text: str) -> Refusal:
    """400 for a value that the object itself refuses."""
    return Refusal(400, {"message": {name: [text]}})
