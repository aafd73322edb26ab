"""Merge requests, with their commits, changes and approvals.

https://docs.gitlab.com/api/merge_requests/ , merge_request_approvals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.gitlab_api import edits, lookup, params, shapes
from emulator.gitlab_api.call import Answer, Call, Json, Refusal, bad_value, not_found
from emulator.gitlab_api.paging import in_order, paged

if TYPE_CHECKING:
    from emulator.state import MergeRequest


def list_all(call: Call) -> Answer:
    """GET /merge_requests: those of every project."""
    projects = call.state.projects.values()
    return _list(call, [one for project in projects for one in project.merge_requests.values()])


def list_of_project(call: Call) -> Answer:
    """GET /projects/:id/merge_requests; `source_branch` and `target_branch` narrow as well."""
    return _list(call, list(lookup.project(call).merge_requests.values()))


def get(call: Call) -> Answer:
    """GET /projects/:id/merge_requests/:merge_request_iid."""
    return Answer(body=_shape(call, lookup.merge_request(call)))


def create(call: Call) -> Answer:
    """POST /projects/:id/merge_requests: 201; 409 while the source branch has an open one."""
    project = lookup.project(call)
    params.require(call.params, "title", "source_branch", "target_branch")
    title, description = params.title(call.params), params.long_text(call.params, "description")
    labels = params.labels_after(call.params, [])
    source = params.text(call.params, "source_branch") or ""
    target = params.text(call.params, "target_branch") or ""
    for name, branch in (("source_branch", source), ("target_branch", target)):
        if not branch.strip():
            raise bad_value(name, "can't be blank")
    for other in project.merge_requests.values():
        if (other.source_branch, other.target_branch, other.state) == (source, target, "opened"):
            text = f"Another open merge request already exists for this source branch: !{other.iid}"
            raise Refusal(409, {"message": [text]})
    merge_request = call.state.open_merge_request(
        project,
        author=call.user,
        title=title,
        description=description,
        source_branch=source,
        target_branch=target,
        now=call.now,
    )
    merge_request.labels = labels
    return Answer(status=201, body=_shape(call, merge_request))


def edit(call: Call) -> Answer:
    """PUT /projects/:id/merge_requests/:merge_request_iid; `state_event` is close or reopen."""
    merge_request = lookup.merge_request(call)
    params.require_any(call.params, *edits.EDITABLE, "target_branch")
    target = params.text(call.params, "target_branch")
    edits.apply(call, merge_request)
    merge_request.target_branch = target or merge_request.target_branch
    return Answer(body=_shape(call, merge_request))


def commits(call: Call) -> Answer:
    """GET …/commits, newest first."""
    merge_request = lookup.merge_request(call)
    url = shapes.web_url(call.base_url, lookup.project(call))
    newest = merge_request.commits[::-1]
    return paged(call, newest, lambda commit: shapes.commit(call.state, commit, url))


def diffs(call: Call) -> Answer:
    """GET …/diffs: the changed files."""
    return paged(call, lookup.merge_request(call).changes, shapes.file_change)


def changes(call: Call) -> Answer:
    """GET …/changes: the merge request with its changed files (deprecated by GitLab, widely used)."""
    merge_request = lookup.merge_request(call)
    files = [shapes.file_change(change) for change in merge_request.changes]
    return Answer(body={**_shape(call, merge_request), "changes": files, "overflow": False})


def approvals(call: Call) -> Answer:
    """GET …/approvals: who has approved."""
    return Answer(body=_approvals(call, lookup.merge_request(call)))


def approve(call: Call) -> Answer:
    """POST …/approve: 201; 401 for who has approved already (gitlab-org/gitlab#526532)."""
    merge_request = lookup.merge_request(call)
    if call.user.id in merge_request.approved_by_ids or merge_request.state != "opened":
        raise Refusal(401, {"message": "401 Unauthorized"})
    merge_request.approved_by_ids.append(call.user.id)
    return Answer(status=201, body=_approvals(call, merge_request))


def unapprove(call: Call) -> Answer:
    """POST …/unapprove: 201; 404 for who has not approved."""
    merge_request = lookup.merge_request(call)
    if call.user.id not in merge_request.approved_by_ids:
        raise not_found()
    merge_request.approved_by_ids.remove(call.user.id)
    return Answer(status=201, body=_approvals(call, merge_request))


def _list(call: Call, merge_requests: list[MergeRequest]) -> Answer:
    found = edits.selected(call, merge_requests, "opened", "closed", "locked", "merged")
    for name in ("source_branch", "target_branch"):
        if (branch := params.text(call.params, name)) is not None:
            found = [one for one in found if getattr(one, name) == branch]
    return paged(call, in_order(call, found), lambda one: _shape(call, one))


def _approvals(call: Call, item: MergeRequest) -> Json:
    approvers = [shapes.user(call.state.users[one], call.base_url) for one in item.approved_by_ids]
    return {
        "id": item.id,
        "iid": item.iid,
        "project_id": item.project_id,
        "title": item.title,
        "description": item.description,
        "state": item.state,
        "approved": True,
        "approvals_required": 0,
        "approvals_left": 0,
        "approved_by": [{"user": approver} for approver in approvers],
        "user_has_approved": call.user.id in item.approved_by_ids,
        "user_can_approve": call.user.id not in item.approved_by_ids,
    }


def _shape(call: Call, merge_request: MergeRequest) -> Json:
    return shapes.merge_request(call.state, merge_request, call.base_url)
