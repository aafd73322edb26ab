"""The routes of the API: every call that the emulator answers.

Paths are matched as they were sent, before percent-decoding, so that `greenhouse%2Fwatering-can`
stays one part of the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitlab_emulator.gitlab_api import (
    awards,
    discussions,
    groups,
    hooks,
    issues,
    jobs,
    labels,
    members,
    merge_requests,
    merging,
    notes,
    pipelines,
    projects,
    repository,
    statuses,
    users,
)

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Function

PREFIX = "/api/v4"
PROJECT, GROUP = "/projects/:id", "/groups/:id"
_ISSUE = f"{PROJECT}/issues/:issue_iid"
_MERGE_REQUEST = f"{PROJECT}/merge_requests/:merge_request_iid"
_NOTEABLES = (_ISSUE, _MERGE_REQUEST)
_CODE = f"{PROJECT}/repository"

Table = tuple[tuple[str, str, "Function"], ...]

_INSTANCE: Table = (
    ("GET", "/version", users.version),
    ("GET", "/user", users.current),
    ("GET", "/users", users.list_all),
    ("POST", "/users", users.create),
    ("GET", "/users/:id", users.get),
    ("GET", "/users/:id/projects", projects.list_of_user),
    ("GET", "/personal_access_tokens/self", users.own_token),
    ("GET", "/namespaces", groups.list_namespaces),
    ("GET", "/groups", groups.list_all),
    ("POST", "/groups", groups.create),
    ("GET", GROUP, groups.get),
    ("PUT", GROUP, groups.edit),
    ("DELETE", GROUP, groups.delete),
    ("GET", f"{GROUP}/subgroups", groups.list_below),
    ("GET", f"{GROUP}/projects", projects.list_of_group),
    ("GET", f"{GROUP}/issues", issues.list_of_group),
    ("GET", f"{GROUP}/merge_requests", merge_requests.list_of_group),
    ("GET", "/projects", projects.list_all),
    ("POST", "/projects", projects.create),
    ("GET", PROJECT, projects.get),
    ("PUT", PROJECT, projects.edit),
    ("DELETE", PROJECT, projects.delete),
    *(
        (method, f"{place}/members{rest}", function)
        for place in (PROJECT, GROUP)
        for method, rest, function in (
            ("GET", "", members.list_own),
            ("POST", "", members.create),
            ("GET", "/all", members.list_all),
            ("GET", "/all/:user_id", members.get_of_all),
            ("GET", "/:user_id", members.get),
            ("PUT", "/:user_id", members.edit),
            ("DELETE", "/:user_id", members.delete),
        )
    ),
    ("GET", f"{PROJECT}/labels", labels.list_all),
    ("POST", f"{PROJECT}/labels", labels.create),
    ("PUT", f"{PROJECT}/labels", labels.edit),
    ("DELETE", f"{PROJECT}/labels", labels.delete),
    ("GET", f"{PROJECT}/labels/:label_id", labels.get),
    ("PUT", f"{PROJECT}/labels/:label_id", labels.edit),
    ("DELETE", f"{PROJECT}/labels/:label_id", labels.delete),
)

_ISSUES_AND_MERGE_REQUESTS: Table = (
    ("GET", "/issues", issues.list_all),
    ("GET", f"{PROJECT}/issues", issues.list_of_project),
    ("POST", f"{PROJECT}/issues", issues.create),
    ("GET", _ISSUE, issues.get),
    ("PUT", _ISSUE, issues.edit),
    ("DELETE", _ISSUE, issues.delete),
    ("GET", "/merge_requests", merge_requests.list_all),
    ("GET", f"{PROJECT}/merge_requests", merge_requests.list_of_project),
    ("POST", f"{PROJECT}/merge_requests", merge_requests.create),
    ("GET", _MERGE_REQUEST, merge_requests.get),
    ("PUT", _MERGE_REQUEST, merge_requests.edit),
    ("DELETE", _MERGE_REQUEST, merge_requests.delete),
    ("GET", f"{_MERGE_REQUEST}/commits", merge_requests.commits),
    ("GET", f"{_MERGE_REQUEST}/diffs", merge_requests.diffs),
    ("GET", f"{_MERGE_REQUEST}/changes", merge_requests.changes),
    ("GET", f"{_MERGE_REQUEST}/pipelines", merge_requests.pipelines),
    ("POST", f"{_MERGE_REQUEST}/pipelines", pipelines.create_for_merge_request),
    ("GET", f"{_MERGE_REQUEST}/approvals", merging.approvals),
    ("POST", f"{_MERGE_REQUEST}/approve", merging.approve),
    ("POST", f"{_MERGE_REQUEST}/unapprove", merging.unapprove),
    ("PUT", f"{_MERGE_REQUEST}/merge", merging.merge),
    ("GET", f"{_MERGE_REQUEST}/closes_issues", merging.closes_issues),
    ("GET", f"{_ISSUE}/closed_by", merging.closed_by),
    *(
        (method, f"{noteable}{rest}", function)
        for noteable in _NOTEABLES
        for method, rest, function in (
            ("GET", "/participants", merge_requests.participants),
            ("GET", "/notes", notes.list_all),
            ("POST", "/notes", notes.create),
            ("GET", "/notes/:note_id", notes.get),
            ("PUT", "/notes/:note_id", notes.edit),
            ("DELETE", "/notes/:note_id", notes.delete),
            ("GET", "/discussions", discussions.list_all),
            ("POST", "/discussions", discussions.create),
            ("GET", "/discussions/:discussion_id", discussions.get),
            ("GET", "/discussions/:discussion_id/notes", discussions.list_notes),
            ("POST", "/discussions/:discussion_id/notes", discussions.reply),
            ("GET", "/discussions/:discussion_id/notes/:note_id", notes.get),
            ("PUT", "/discussions/:discussion_id/notes/:note_id", discussions.edit_note),
            ("DELETE", "/discussions/:discussion_id/notes/:note_id", notes.delete),
        )
    ),
    ("PUT", f"{_MERGE_REQUEST}/discussions/:discussion_id", discussions.resolve),
    *(
        (method, f"{noteable}{on}/award_emoji{rest}", function)
        for noteable in _NOTEABLES
        for on in ("", "/notes/:note_id")
        for method, rest, function in (
            ("GET", "", awards.list_all),
            ("POST", "", awards.create),
            ("GET", "/:award_id", awards.get),
            ("DELETE", "/:award_id", awards.delete),
        )
    ),
)

_CODE_AND_CI: Table = (
    ("GET", f"{_CODE}/tree", repository.tree),
    ("GET", f"{_CODE}/files/:file_path", repository.file),
    ("GET", f"{_CODE}/files/:file_path/raw", repository.raw_file),
    ("GET", f"{_CODE}/commits", repository.commits),
    ("GET", f"{_CODE}/commits/:sha", repository.commit),
    ("GET", f"{_CODE}/commits/:sha/diff", repository.commit_diff),
    ("GET", f"{_CODE}/commits/:sha/merge_requests", repository.merge_requests_of_commit),
    ("GET", f"{_CODE}/commits/:sha/statuses", statuses.list_of_commit),
    ("GET", f"{_CODE}/branches", repository.branches),
    ("GET", f"{_CODE}/branches/:branch", repository.branch),
    ("GET", f"{_CODE}/tags", repository.tags),
    ("GET", f"{_CODE}/compare", repository.compare),
    ("POST", f"{PROJECT}/statuses/:sha", statuses.create),
    ("GET", f"{PROJECT}/pipelines", pipelines.list_all),
    ("POST", f"{PROJECT}/pipeline", pipelines.create),
    ("GET", f"{PROJECT}/pipelines/latest", pipelines.get_latest),
    ("GET", f"{PROJECT}/pipelines/:pipeline_id", pipelines.get),
    ("DELETE", f"{PROJECT}/pipelines/:pipeline_id", pipelines.delete),
    ("GET", f"{PROJECT}/pipelines/:pipeline_id/jobs", pipelines.list_jobs),
    ("GET", f"{PROJECT}/pipelines/:pipeline_id/variables", pipelines.variables),
    ("POST", f"{PROJECT}/pipelines/:pipeline_id/retry", pipelines.retry),
    ("POST", f"{PROJECT}/pipelines/:pipeline_id/cancel", pipelines.cancel),
    ("GET", f"{PROJECT}/jobs", jobs.list_all),
    ("GET", f"{PROJECT}/jobs/:job_id", jobs.get),
    ("GET", f"{PROJECT}/jobs/:job_id/trace", jobs.trace),
    ("POST", f"{PROJECT}/jobs/:job_id/retry", jobs.retry),
    ("POST", f"{PROJECT}/jobs/:job_id/cancel", jobs.cancel),
    ("POST", f"{PROJECT}/jobs/:job_id/play", jobs.play),
    ("PUT", "/jobs/:id", jobs.report),
)

TABLE: Table = (*_INSTANCE, *_ISSUES_AND_MERGE_REQUESTS, *_CODE_AND_CI, *hooks.TABLE)


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
