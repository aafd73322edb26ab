"""Merge requests, with their commits and changes: https://docs.gitlab.com/api/merge_requests/ ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import edits, issuable_events, lookup, params, shapes, shapes_ci, shapes_code
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal, bad_value
from gitlab_emulator.gitlab_api.paging import in_order, paged
from gitlab_emulator.state import DEVELOPER, OWNER

if TYPE_CHECKING:
    from gitlab_emulator.state import MergeRequest, Pipeline, Project


def list_all(call: Call) -> Answer:
    """GET /merge_requests: those of every project; `scope` is created_by_me unless told otherwise."""
    names = ("created_by_me", "created-by-me", "assigned_to_me", "reviews_for_me", "all")
    mine = params.choice(call.params, "scope", *names)
    found = [
        one
        for project in call.state.projects.values()
        if call.sees(project)
        for one in project.merge_requests.values()
    ]
    if mine == "assigned_to_me":
        found = [one for one in found if call.user.id in one.assignee_ids]
    elif mine == "reviews_for_me":
        found = [one for one in found if call.user.id in one.reviewer_ids]
    elif mine != "all" and call.token is not None:  # a token that may do everything is nobody's in particular
        found = [one for one in found if one.author_id == call.user.id]
    return _list(call, found)


def list_of_project(call: Call) -> Answer:
    """GET /projects/:id/merge_requests."""
    return _list(call, list(lookup.project(call).merge_requests.values()))


def list_of_group(call: Call) -> Answer:
    """GET /groups/:id/merge_requests: those of all projects below it."""
    below = call.state.projects_below(lookup.group(call))
    return _list(
        call, [one for project in below if call.sees(project) for one in project.merge_requests.values()]
    )


def get(call: Call) -> Answer:
    """GET /projects/:id/merge_requests/:merge_request_iid."""
    item = lookup.merge_request(call)
    project = lookup.project(call)
    head = _pipelines(project, item)[-1:]
    shape = shapes_ci.whole_pipeline(call.state, project, head[0], call.base_url) if head else None
    return Answer(body={**_shape(call, item), "head_pipeline": shape})


def create(call: Call) -> Answer:
    """POST /projects/:id/merge_requests: 201; 409 while one is open for the same branches."""
    project = lookup.project(call, DEVELOPER)
    params.require(call.params, "title", "source_branch", "target_branch")
    title, description = params.title(call.params), params.long_text(call.params, "description")
    labels = params.labels_after(call.params, [])
    assignees, reviewers = edits.assignee_ids(call, []), edits.people(call, "reviewer_ids", [])
    source = params.text(call.params, "source_branch") or ""
    target = params.text(call.params, "target_branch") or ""
    _check_branches(project, source, target)
    merge_request = call.state.open_merge_request(
        project,
        author=call.user,
        title=title,
        description=description,
        source_branch=source,
        target_branch=target,
        now=call.now,
    )
    edits.set_labels(call, merge_request, labels)
    merge_request.assignee_ids, merge_request.reviewer_ids = assignees, reviewers
    issuable_events.opened(call, merge_request)
    return Answer(status=201, body=_shape(call, merge_request))


def edit(call: Call) -> Answer:
    """PUT /projects/:id/merge_requests/:merge_request_iid; `state_event` is close or reopen."""
    merge_request = lookup.merge_request(call)
    edits.may_edit(call, merge_request)
    params.require_any(call.params, *edits.EDITABLE, "target_branch", "reviewer_ids", *edits.IGNORED)
    target = params.text(call.params, "target_branch")
    reviewers = edits.people(call, "reviewer_ids", merge_request.reviewer_ids)
    before = replace(merge_request)
    edits.apply(call, merge_request)
    merge_request.target_branch = target or merge_request.target_branch
    merge_request.reviewer_ids = reviewers
    issuable_events.edited(call, before, merge_request)
    return Answer(body=_shape(call, merge_request))


def delete(call: Call) -> Answer:
    """DELETE /projects/:id/merge_requests/:merge_request_iid: 204, for owners."""
    merge_request = lookup.merge_request(call)
    project = lookup.project(call, OWNER)
    del project.merge_requests[merge_request.iid]
    return Answer(status=204)


def commits(call: Call) -> Answer:
    """GET …/commits, newest first."""
    merge_request = lookup.merge_request(call)
    url = shapes.web_url(call.base_url, lookup.project(call))
    newest = merge_request.commits[::-1]
    return paged(call, newest, lambda commit: shapes_code.commit(call.state, commit, url))


def diffs(call: Call) -> Answer:
    """GET …/diffs: the changed files."""
    return paged(call, lookup.merge_request(call).changes, shapes_code.file_change)


def changes(call: Call) -> Answer:
    """GET …/changes: the merge request with its changed files (deprecated by GitLab, widely used)."""
    merge_request = lookup.merge_request(call)
    files = [shapes_code.file_change(change) for change in merge_request.changes]
    return Answer(body={**_shape(call, merge_request), "changes": files, "overflow": False})


def participants(call: Call) -> Answer:
    """GET …/participants of an issue or merge request: who opened it, wrote on it or has it assigned."""
    item = lookup.noteable(call)
    ids = dict.fromkeys([item.author_id, *item.assignee_ids, *(one.author_id for one in item.notes.values())])
    return paged(call, list(ids), lambda one: shapes.user(call.state.users[one], call.base_url))


def pipelines(call: Call) -> Answer:
    """GET …/pipelines, newest first."""
    project = lookup.project(call)
    found = _pipelines(project, lookup.merge_request(call))[::-1]
    return paged(call, found, lambda one: shapes_ci.pipeline(project, one, call.base_url))


def _pipelines(project: Project, item: MergeRequest) -> list[Pipeline]:
    """Those over any of its commits, oldest first."""
    shas = {commit.sha for commit in item.commits}
    return [one for one in project.pipelines.values() if one.sha in shas]


def _check_branches(project: Project, source: str, target: str) -> None:
    for name, branch in (("source_branch", source), ("target_branch", target)):
        if not branch.strip():
            raise bad_value(name, "can't be blank")
        if len(branch) > params.MAX_TITLE_CHARS:
            raise bad_value(name, f"is too long (maximum is {params.MAX_TITLE_CHARS} characters)")
    if source == target:
        raise Refusal(400, {"message": ["You can't use same project/branch for source and target"]})
    for other in project.merge_requests.values():
        if (other.source_branch, other.target_branch, other.state) == (source, target, "opened"):
            text = f"Another open merge request already exists for this source branch: !{other.iid}"
            raise Refusal(409, {"message": [text]})


def _list(call: Call, merge_requests: list[MergeRequest]) -> Answer:
    found = edits.selected(call, merge_requests, "opened", "closed", "locked", "merged")
    for name in ("source_branch", "target_branch"):
        if (branch := params.text(call.params, name)) is not None:
            found = [one for one in found if getattr(one, name) == branch]
    return paged(call, in_order(call, found), lambda one: _shape(call, one))


def _shape(call: Call, merge_request: MergeRequest) -> Json:
    return shapes.merge_request(call.state, merge_request, call.base_url)
