"""Issues: https://docs.gitlab.com/api/issues/ ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.gitlab_api import edits, lookup, params, shapes
from emulator.gitlab_api.call import Answer, Call, Json
from emulator.gitlab_api.paging import in_order, paged

if TYPE_CHECKING:
    from emulator.state import Issue


def list_all(call: Call) -> Answer:
    """GET /issues: those of every project."""
    return _list(call, [one for project in call.state.projects.values() for one in project.issues.values()])


def list_of_project(call: Call) -> Answer:
    """GET /projects/:id/issues."""
    return _list(call, list(lookup.project(call).issues.values()))


def get(call: Call) -> Answer:
    """GET /projects/:id/issues/:issue_iid."""
    return Answer(body=_shape(call, lookup.issue(call)))


def create(call: Call) -> Answer:
    """POST /projects/:id/issues: 201. Needs `title`."""
    project = lookup.project(call)
    params.require(call.params, "title")
    title, description = params.title(call.params), params.long_text(call.params, "description")
    labels = params.labels_after(call.params, [])
    confidential = params.flag(call.params, "confidential") or False
    assignees = params.numbers(call.params, "assignee_ids") or []
    issue = call.state.open_issue(
        project, author=call.user, title=title, description=description, now=call.now
    )
    issue.labels, issue.confidential = labels, confidential
    issue.assignee_ids = [one for one in assignees if one in call.state.users]
    return Answer(status=201, body=_shape(call, issue))


def edit(call: Call) -> Answer:
    """PUT /projects/:id/issues/:issue_iid; `state_event` is close or reopen."""
    issue = lookup.issue(call)
    params.require_any(call.params, *edits.EDITABLE, "confidential")
    confidential = params.flag(call.params, "confidential")
    edits.apply(call, issue)
    if confidential is not None:
        issue.confidential = confidential
    return Answer(body=_shape(call, issue))


def _list(call: Call, issues: list[Issue]) -> Answer:
    found = edits.selected(call, issues, "opened", "closed")
    return paged(call, in_order(call, found), lambda issue: _shape(call, issue))


def _shape(call: Call, issue: Issue) -> Json:
    return shapes.issue(call.state, issue, call.base_url)
