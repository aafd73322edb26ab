"""From the ids in a path to the objects they name, or GitLab's 400 and 404."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.gitlab_api import params
from emulator.gitlab_api.call import bad_parameter, not_found

if TYPE_CHECKING:
    from emulator.gitlab_api.call import Call
    from emulator.state import Issue, MergeRequest, Note, Noteable, Project


def project(call: Call) -> Project:
    """The project that `:id` names by number or full path."""
    found = call.state.project(call.ids["id"])
    if found is None:
        raise not_found("Project")
    return found


def issue(call: Call) -> Issue:
    """The project's issue `:issue_iid`."""
    found = project(call).issues.get(_number(call, "issue_iid"))
    if found is None:
        raise not_found()
    return found


def merge_request(call: Call) -> MergeRequest:
    """The project's merge request `:merge_request_iid`."""
    found = project(call).merge_requests.get(_number(call, "merge_request_iid"))
    if found is None:
        raise not_found()
    return found


def noteable(call: Call) -> Noteable:
    """The issue or merge request, whichever the path names."""
    return issue(call) if "issue_iid" in call.ids else merge_request(call)


def note(call: Call) -> Note:
    """The note `:note_id` on it."""
    found = noteable(call).notes.get(_number(call, "note_id"))
    if found is None:
        raise not_found()
    return found


def _number(call: Call, name: str) -> int:
    if not params.WHOLE_NUMBER.fullmatch(call.ids[name]):
        raise bad_parameter(f"{name} is invalid")
    return int(call.ids[name])
