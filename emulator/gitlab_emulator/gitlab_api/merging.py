"""Approving merge requests and merging them.

https://docs.gitlab.com/api/merge_request_approvals/ and
https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request .
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import issuable_events, lookup, params, shapes
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal, not_found, unauthorized
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.samples import pushes
from gitlab_emulator.state import DEVELOPER, MAINTAINER, Commit, set_open, sha_of

if TYPE_CHECKING:
    from gitlab_emulator.state import Issue, MergeRequest, Project

CLOSES = re.compile(
    r"\b(?:clos(?:e|es|ed|ing)|fix(?:es|ed|ing)?|resolv(?:e|es|ed|ing)):?\s+#(\d{1,9})\b", re.IGNORECASE
)


def approvals(call: Call) -> Answer:
    """GET …/approvals: who has approved."""
    return Answer(body=_approvals(call, lookup.merge_request(call)))


def approve(call: Call) -> Answer:
    """POST …/approve: 201.

    401 for who may not, or has approved already (gitlab-org/gitlab#526532); 409 for a `sha` that is not
    the newest.
    """
    item = lookup.merge_request(call)
    if call.level(lookup.project(call)) < DEVELOPER:
        raise unauthorized()
    if call.user.id in item.approved_by_ids or item.state != "opened":
        raise unauthorized()
    _check_sha(call, item)
    item.approved_by_ids = [*item.approved_by_ids, call.user.id]
    item.updated_at = call.now
    issuable_events.acted(call, item, "approved")
    return Answer(status=201, body=_approvals(call, item))


def unapprove(call: Call) -> Answer:
    """POST …/unapprove: 201; 404 for who has not approved."""
    item = lookup.merge_request(call)
    if call.user.id not in item.approved_by_ids:
        raise not_found()
    item.approved_by_ids = [one for one in item.approved_by_ids if one != call.user.id]
    item.updated_at = call.now
    issuable_events.acted(call, item, "unapproved")
    return Answer(status=201, body=_approvals(call, item))


def merge(call: Call) -> Answer:
    """PUT …/merge: 200; 401 without the right to, 405 when it cannot be merged, 409 for another `sha`."""
    item, project = lookup.merge_request(call), lookup.project(call)
    if call.level(project) < (MAINTAINER if item.target_branch == project.default_branch else DEVELOPER):
        raise unauthorized()
    if item.state != "opened" or item.draft:
        raise Refusal(405, {"message": "405 Method Not Allowed"})
    _check_sha(call, item)
    message = params.long_text(call.params, "merge_commit_message")
    before = replace(item)
    old, commit = _merge(call, project, item, message)
    issuable_events.acted(call, item, "merge", before)
    if old is not None:
        ref = f"refs/heads/{item.target_branch}"
        body = pushes.event(
            call.act(project), ref=ref, before=old, after=commit.sha, commits=[*item.commits, commit]
        )
        call.execute_hooks("push", body, project=project, ref=ref)
    _close_issues(call, project, item)
    return Answer(body=shapes.merge_request(call.state, item, call.base_url))


def _merge(
    call: Call, project: Project, item: MergeRequest, message: str | None
) -> tuple[str | None, Commit]:
    """Merge it; what the target branch pointed at before (None: there is no such branch), and the commit."""
    repository = project.repository
    old = repository.branches.get(item.target_branch)
    commit = Commit(
        sha=sha_of(f"merge {item.id} {call.now.isoformat()}"),
        parent_sha=old or item.sha,
        message=message
        or f"Merge branch '{item.source_branch}' into '{item.target_branch}'\n\n{item.title}\n",
        author_id=call.user.id,
        created_at=call.now,
        added=[change.path for change in item.changes if change.new],
        modified=[change.path for change in item.changes if not change.new and not change.deleted],
        removed=[change.path for change in item.changes if change.deleted],
    )
    if old is not None:
        theirs = repository.files.get(item.sha, {})
        files = dict(repository.files[old])
        for change in item.changes:
            files.pop(change.path, None)
            if change.path in theirs:
                files[change.path] = theirs[change.path]
        repository.add(commit, files, branch=item.target_branch)
    if params.flag(call.params, "should_remove_source_branch"):
        repository.branches.pop(item.source_branch, None)
    item.state, item.merge_commit_sha = "merged", commit.sha
    item.merged_at, item.merged_by_id, item.updated_at = call.now, call.user.id, call.now
    return old, commit


def closes_issues(call: Call) -> Answer:
    """GET …/merge_requests/:merge_request_iid/closes_issues: those that merging it will close."""
    item, project = lookup.merge_request(call), lookup.project(call)
    found = [one for one in _named(project, item) if lookup.sees(call, one)]
    return paged(call, found, lambda one: shapes.issue(call.state, one, call.base_url))


def closed_by(call: Call) -> Answer:
    """GET …/issues/:issue_iid/closed_by: the merge requests that close it when merged."""
    issue, project = lookup.issue(call), lookup.project(call)
    found = [one for one in project.merge_requests.values() if issue in _named(project, one)]
    return paged(call, found, lambda one: shapes.merge_request(call.state, one, call.base_url))


def _named(project: Project, item: MergeRequest) -> list[Issue]:
    """The issues that "Closes #1" in the description names."""
    iids = dict.fromkeys(map(int, CLOSES.findall(item.description or "")))
    return [project.issues[iid] for iid in iids if iid in project.issues]


def _close_issues(call: Call, project: Project, item: MergeRequest) -> None:
    """What "Closes #1" in the description does when it gets into the default branch."""
    if item.target_branch != project.default_branch:
        return
    for issue in _named(project, item):
        if issue.state == "opened":
            before = replace(issue)
            set_open(issue, is_open=False, by=call.user, now=call.now)
            issue.updated_at = call.now
            issuable_events.edited(call, before, issue)


def _check_sha(call: Call, item: MergeRequest) -> None:
    if (sha := params.text(call.params, "sha")) and sha != item.sha:
        raise Refusal(409, {"message": f"SHA does not match HEAD of source branch: {item.sha}"})


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
