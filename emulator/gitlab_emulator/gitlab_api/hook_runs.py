"""Running a hook by order of the API: a test with sample data, or a delivery of the log once more.

Both five times a minute. https://docs.gitlab.com/api/project_webhooks/#trigger-a-test-project-webhook
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import params
from gitlab_emulator.gitlab_api.call import Answer, Refusal, bad_parameter, not_found
from gitlab_emulator.gitlab_api.hook_places import SYSTEM
from gitlab_emulator.hooks.matching import SYSTEM_HOOKS, log_name
from gitlab_emulator.hooks.operation_limit import MINUTE_S
from gitlab_emulator.project_scene import NoSampleDataError, body_for_test, project_scene

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call
    from gitlab_emulator.gitlab_api.hook_places import Place
    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.state import Project

OFFERED = (
    *("push", "tag_push", "issues", "confidential_issues", "note", "merge_requests", "job", "pipeline"),
    *("wiki_page", "releases", "milestone", "emoji", "resource_access_token"),
)
OFFERED_TO = {"project": (*OFFERED, "resource_deploy_token"), "group": OFFERED}
MOCK = {
    "event_name": "project_create",
    "name": "Seed Tray",
    "path": "seed-tray",
    "project_id": 1,
    "owner_name": "Fern Okafor",
    "owner_email": "fern@greenhouse.example",
}


async def test(place: Place, call: Call) -> Answer:
    """POST …/hooks/:hook_id/test/:trigger: 201 when the receiver takes it, 422 with its answer when not."""
    hook, trigger = place.hook(call), call.ids["trigger"].removesuffix("_events")
    if call.ids["trigger"] not in {f"{name}_events" for name in OFFERED_TO[place.kind]}:
        raise bad_parameter("trigger does not have a valid value")
    _count_operation(call, "test", hook)
    try:
        scene = project_scene(call.state, _project(call, hook), base_url=call.base_url, now=call.now)
        body = body_for_test(trigger, scene)
    except NoSampleDataError as error:
        raise Refusal(422, {"message": str(error)}) from error
    name = log_name(trigger, hook)
    done = await call.hooks.test(hook, name, body, event_uuid=call.event_uuid, base_url=call.base_url)
    if done.status is None or not 200 <= done.status < 300:  # noqa: PLR2004
        raise Refusal(422, {"message": done.message})
    return Answer(status=201, body={"message": "201 Created"})


async def resend(place: Place, call: Call) -> Answer:
    """POST …/hooks/:hook_id/events/:hook_event_id/resend: 201 with the receiver's status."""
    hook = place.hook(call)
    _count_operation(call, "resend", hook)
    if not params.WHOLE_NUMBER.fullmatch(call.ids["hook_event_id"]):
        raise bad_parameter("hook_event_id is invalid")
    event = call.hooks.log.find(hook, int(call.ids["hook_event_id"]))
    if event is None:
        raise not_found()
    done = await call.hooks.resend(hook, event, event_uuid=call.event_uuid, base_url=call.base_url)
    if done.status is None:
        raise Refusal(422, {"message": done.message})
    return Answer(status=201, body={"response_status": done.status})


async def test_system_hook(call: Call) -> Answer:
    """POST /hooks/:hook_id: runs it with mock data, and answers with these, whatever the receiver does."""
    hook = SYSTEM.hook(call)
    await call.hooks.test(hook, SYSTEM_HOOKS, MOCK, event_uuid=call.event_uuid, base_url=call.base_url)
    return Answer(status=201, body=MOCK)


def _count_operation(call: Call, what: str, hook: Hook) -> None:
    """429 for the sixth in a minute; counted for each account, and for all hooks of a place together."""
    if not call.hooks.operation_limit.take((what, hook.project_id, hook.group_id, call.user.id), call.now):
        text = "This endpoint has been requested too many times. Try again later."
        raise Refusal(429, {"message": {"error": text}}, {"Retry-After": str(MINUTE_S)})


def _project(call: Call, hook: Hook) -> Project:
    """The hook's project, or the first one in its group."""
    for project in call.state.projects.values():
        if project.id == hook.project_id or any(
            group.id == hook.group_id for group in call.state.groups_above(project)
        ):
            return project
    raise NoSampleDataError("Ensure the group has a project.")
