"""Issues: https://docs.gitlab.com/api/issues/ ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import edits, issuable_events, lookup, params, shapes
from gitlab_emulator.gitlab_api.call import Answer, Call, Json
from gitlab_emulator.gitlab_api.paging import in_order, paged
from gitlab_emulator.state import OWNER

if TYPE_CHECKING:
    from gitlab_emulator.state import Issue, Project


def list_all(call: Call) -> Answer:
    """GET /issues: those that `scope` names (created_by_me unless told otherwise), of every project."""
    mine = params.choice(call.params, "scope", "created_by_me", "created-by-me", "assigned_to_me", "all")
    issues = [one for project in call.state.projects.values() for one in _seen(call, project)]
    if mine == "assigned_to_me":
        issues = [one for one in issues if call.user.id in one.assignee_ids]
    elif mine != "all" and call.token is not None:  # a token that may do everything is nobody's in particular
        issues = [one for one in issues if one.author_id == call.user.id]
    return _list(call, issues)


def list_of_project(call: Call) -> Answer:
    """GET /projects/:id/issues."""
    return _list(call, _seen(call, lookup.project(call)))


def list_of_group(call: Call) -> Answer:
    """GET /groups/:id/issues: those of all projects below it."""
    group = lookup.group(call)
    return _list(call, [one for project in call.state.projects_below(group) for one in _seen(call, project)])


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
    assignees = edits.assignee_ids(call, [])
    issue = call.state.open_issue(
        project, author=call.user, title=title, description=description, now=call.now
    )
    edits.set_labels(call, issue, labels)
    issue.confidential, issue.assignee_ids = confidential, assignees
    issuable_events.opened(call, issue)
    return Answer(status=201, body=_shape(call, issue))


def edit(call: Call) -> Answer:
    """PUT /projects/:id/issues/:issue_iid; `state_event` is close or reopen."""
    issue = lookup.issue(call)
    edits.may_edit(call, issue)
    params.require_any(call.params, *edits.EDITABLE, "confidential", *edits.IGNORED)
    confidential = params.flag(call.params, "confidential")
    before = replace(issue)
    edits.apply(call, issue)
    if confidential is not None:
        issue.confidential = confidential
    issuable_events.edited(call, before, issue)
    return Answer(body=_shape(call, issue))


def delete(call: Call) -> Answer:
    """DELETE /projects/:id/issues/:issue_iid: 204, for owners."""
    issue = lookup.issue(call)
    project = lookup.project(call, OWNER)
    del project.issues[issue.iid]
    return Answer(status=204)


def _seen(call: Call, project: Project) -> list[Issue]:
    if not call.sees(project):
        return []
    return [one for one in project.issues.values() if lookup.sees(call, one)]


def _list(call: Call, issues: list[Issue]) -> Answer:
    found = edits.selected(call, issues, "opened", "closed")
    confidential = params.flag(call.params, "confidential")
    found = [one for one in found if confidential in (None, one.confidential)]
    return paged(call, in_order(call, found), lambda issue: _shape(call, issue))


def _shape(call: Call, issue: Issue) -> Json:
    return shapes.issue(call.state, issue, call.base_url)
