"""Which function answers which call: the whole list of what the emulator's API does.

Paths are matched as they were sent, before percent-decoding, so that `greenhouse%2Fwatering-can`
stays one part of the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from emulator.gitlab_api import issues, merge_requests, notes, projects, users

if TYPE_CHECKING:
    from emulator.gitlab_api.call import Function

PREFIX = "/api/v4"
_ISSUE = "/projects/:id/issues/:issue_iid"
_MERGE_REQUEST = "/projects/:id/merge_requests/:merge_request_iid"

TABLE: tuple[tuple[str, str, Function], ...] = (
    ("GET", "/version", users.version),
    ("GET", "/user", users.current),
    ("GET", "/users", users.list_all),
    ("GET", "/users/:id", users.get),
    ("GET", "/personal_access_tokens/self", users.own_token),
    ("GET", "/projects", projects.list_all),
    ("GET", "/projects/:id", projects.get),
    ("GET", "/issues", issues.list_all),
    ("GET", "/projects/:id/issues", issues.list_of_project),
    ("POST", "/projects/:id/issues", issues.create),
    ("GET", _ISSUE, issues.get),
    ("PUT", _ISSUE, issues.edit),
    ("GET", "/merge_requests", merge_requests.list_all),
    ("GET", "/projects/:id/merge_requests", merge_requests.list_of_project),
    ("POST", "/projects/:id/merge_requests", merge_requests.create),
    ("GET", _MERGE_REQUEST, merge_requests.get),
    ("PUT", _MERGE_REQUEST, merge_requests.edit),
    ("GET", f"{_MERGE_REQUEST}/commits", merge_requests.commits),
    ("GET", f"{_MERGE_REQUEST}/diffs", merge_requests.diffs),
    ("GET", f"{_MERGE_REQUEST}/changes", merge_requests.changes),
    ("GET", f"{_MERGE_REQUEST}/approvals", merge_requests.approvals),
    ("POST", f"{_MERGE_REQUEST}/approve", merge_requests.approve),
    ("POST", f"{_MERGE_REQUEST}/unapprove", merge_requests.unapprove),
    *(
        (method, f"{noteable}/notes{rest}", function)
        for noteable in (_ISSUE, _MERGE_REQUEST)
        for method, rest, function in (
            ("GET", "", notes.list_all),
            ("POST", "", notes.create),
            ("GET", "/:note_id", notes.get),
            ("PUT", "/:note_id", notes.edit),
            ("DELETE", "/:note_id", notes.delete),
        )
    ),
)


@dataclass(frozen=True, kw_only=True)
class Match:
    """The function that answers, and the decoded parts of the path that its route names."""

    function: Function
    ids: dict[str, str]


def match(method: str, raw_path: str) -> Match | None:
    """What answers this call; None for a call that the emulator does not do. HEAD counts as GET."""
    for route_method, pattern, function in _COMPILED:
        if route_method == ("GET" if method == "HEAD" else method) and (hit := pattern.fullmatch(raw_path)):
            return Match(
                function=function, ids={name: unquote(part) for name, part in hit.groupdict().items()}
            )
    return None


def _compiled(path: str) -> re.Pattern[str]:
    return re.compile(PREFIX + re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path) + "/?")


_COMPILED = tuple((method, _compiled(path), function) for method, path, function in TABLE)
