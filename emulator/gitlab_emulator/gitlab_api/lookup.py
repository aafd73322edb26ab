"""Look up the objects that the ids in a path name, or answer GitLab's 400, 403 or 404."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import params
from gitlab_emulator.gitlab_api.call import bad_parameter, not_found
from gitlab_emulator.state import PLANNER, Issue

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call
    from gitlab_emulator.state import Group, Job, MergeRequest, Note, Noteable, Pipeline, Place, Project, User


def project(call: Call, at_least: int = 0) -> Project:
    """The project that `:id` names by number or full path; 403 below that access level."""
    found = call.state.project(call.ids["id"])
    if found is None or not call.sees(found):
        raise not_found("Project")
    call.require(found, at_least)
    return found


def group(call: Call, at_least: int = 0) -> Group:
    """The group that `:id` names by number or full path; 403 below that access level."""
    found = call.state.group(call.ids["id"])
    if found is None or not call.sees(found):
        raise not_found("Group")
    call.require(found, at_least)
    return found


def place(call: Call, at_least: int = 0) -> Place:
    """The group or project, whichever the path names."""
    return group(call, at_least) if "/api/v4/groups/" in call.url else project(call, at_least)


def issue(call: Call) -> Issue:
    """The project's issue `:issue_iid`."""
    found = project(call).issues.get(number(call, "issue_iid"))
    if found is None or not sees(call, found):
        raise not_found()
    return found


def merge_request(call: Call) -> MergeRequest:
    """The project's merge request `:merge_request_iid`."""
    found = project(call).merge_requests.get(number(call, "merge_request_iid"))
    if found is None:
        raise not_found()
    return found


def noteable(call: Call) -> Noteable:
    """The issue or merge request, whichever the path names."""
    return issue(call) if "issue_iid" in call.ids else merge_request(call)


def notes(call: Call, on: Noteable) -> list[Note]:
    """Those notes that may be seen, oldest first: internal ones are for members."""
    sees_all = call.level(call.state.projects[on.project_id]) >= PLANNER
    return [one for one in on.notes.values() if sees_all or not one.internal]


def note(call: Call) -> Note:
    """The note `:note_id` on it."""
    wanted = number(call, "note_id")
    found = next((one for one in notes(call, noteable(call)) if one.id == wanted), None)
    if found is None or call.ids.get("discussion_id", found.discussion_id) != found.discussion_id:
        raise not_found()
    return found


def pipeline(call: Call) -> Pipeline:
    """The project's pipeline `:pipeline_id`."""
    found = project(call).pipelines.get(number(call, "pipeline_id"))
    if found is None:
        raise not_found()
    return found


def job(call: Call) -> tuple[Pipeline, Job]:
    """The project's job `:job_id`, with its pipeline."""
    wanted = number(call, "job_id")
    for one in project(call).pipelines.values():
        if wanted in one.jobs and not one.jobs[wanted].external:
            return one, one.jobs[wanted]
    raise not_found()


def user(call: Call) -> User:
    """The account that `:id` names by number or username."""
    found = call.state.user(call.ids["id"])
    if found is None:
        raise not_found("User")
    return found


def sees(call: Call, item: Noteable) -> bool:
    """Whether an issue or merge request exists for this call: confidential ones do for members only."""
    if not isinstance(item, Issue) or not item.confidential:
        return True
    if call.user.id in (item.author_id, *item.assignee_ids):
        return True
    return call.level(call.state.projects[item.project_id]) >= PLANNER


def number(call: Call, name: str) -> int:
    """A part of the path that is a number."""
    if not params.WHOLE_NUMBER.fullmatch(call.ids[name]):
        raise bad_parameter(f"{name} is invalid")
    return int(call.ids[name])
