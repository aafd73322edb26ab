"""Webhooks of projects and groups, and system hooks: make, list, edit, delete them, read their log.

https://docs.gitlab.com/api/project_webhooks/ , group_webhooks, system_hooks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import hook_params, hook_runs, hook_shapes, params
from gitlab_emulator.gitlab_api.call import Answer, Refusal, bad_parameter, not_found
from gitlab_emulator.gitlab_api.hook_places import GROUP, PROJECT, SYSTEM, Place
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.hooks.registration import ON_BY_DEFAULT, add_hook, change_hook
from gitlab_emulator.hooks.validation import HookError

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call, Function, Json
    from gitlab_emulator.hooks.model import Hook


def list_all(place: Place, call: Call) -> Answer:
    """GET …/hooks."""
    return paged(call, place.hooks(call), lambda hook: _shape(call, hook, whole=hook.project_id is None))


def get(place: Place, call: Call) -> Answer:
    """GET …/hooks/:hook_id."""
    return Answer(body=_shape(call, place.hook(call)))


def create(place: Place, call: Call) -> Answer:
    """POST …/hooks: 201. Needs `url`."""
    ids: Json = place.ids(call)
    params.require(call.params, "url")
    given = _attributes(call)
    given["url"] = given["url"] or ""
    given["switches"] = hook_params.switches(call.params, place.kind, ON_BY_DEFAULT[place.kind])
    try:
        hook = add_hook(call.state, now=call.now, **ids, **given)
    except HookError as error:
        raise hook_params.refused(error) from error
    return Answer(status=201, body=_shape(call, hook))


def edit(place: Place, call: Call) -> Answer:
    """PUT …/hooks/:hook_id."""
    hook = place.hook(call)
    changes = hook_params.merged(_attributes(call), hook)
    if not changes and not any(name.endswith("_events") for name in call.params):
        raise bad_parameter("No parameters provided")
    changes["switches"] = hook_params.switches(call.params, place.kind, hook.switches)
    if "url" in changes:
        changes["url"] = changes["url"] or ""
    try:
        change_hook(hook, **changes)
    except HookError as error:
        raise hook_params.refused(error, editing=True) from error
    return Answer(body=_shape(call, hook))


def delete(place: Place, call: Call) -> Answer:
    """DELETE …/hooks/:hook_id: 204; its log goes with it."""
    call.hooks.remove(place.hook(call))
    return Answer(status=204)


def events(place: Place, call: Call) -> Answer:
    """GET …/hooks/:hook_id/events: those of seven days, newest first; `status` narrows."""
    hook = place.hook(call)
    hook_params.check_page_size(call.params)
    wanted = hook_params.statuses(call.params)
    found = [
        event
        for event in call.hooks.log.of(hook, call.now)
        if wanted is None or event.response_status in wanted
    ]
    return paged(call, found, hook_shapes.event)


def set_pair(place: Place, name: str, call: Call) -> Answer:
    """PUT …/hooks/:hook_id/custom_headers/:key, …/url_variables/:key: 204. Needs `value`."""
    hook = place.hook(call)
    params.require(call.params, "value")
    value = params.text(call.params, "value") or ""
    try:
        change_hook(hook, **{name: {**getattr(hook, name), call.ids["key"]: value}})
    except HookError as error:
        raise Refusal(422, {"error": "Illegal key or value"}) from error
    return Answer(status=204)


def delete_pair(place: Place, name: str, call: Call) -> Answer:
    """DELETE …/hooks/:hook_id/custom_headers/:key, …/url_variables/:key: 204."""
    hook, key = place.hook(call), call.ids["key"]
    pairs = getattr(hook, name)
    if key not in pairs:
        raise not_found("Custom header" if name == "custom_headers" else "URL variable")
    try:
        change_hook(hook, **{name: {one: value for one, value in pairs.items() if one != key}})
    except HookError as error:
        what = "custom header" if name == "custom_headers" else "variable"
        raise Refusal(422, {"error": f"Could not unset {what}"}) from error
    return Answer(status=204)


def _attributes(call: Call) -> Json:
    return hook_params.attributes(call.params, signs=call.hooks.version.standard_webhooks)


def _shape(call: Call, hook: Hook, *, whole: bool = True) -> Json:
    return hook_shapes.hook(hook, version=call.hooks.version, now=call.now, whole=whole)


def _of(place: Place) -> list[tuple[str, str, Function]]:
    """The routes of one kind of hooks."""
    hooks, hook = place.path, f"{place.path}/:hook_id"
    rows: list[tuple[str, str, Function]] = [
        ("GET", hooks, partial(list_all, place)),
        ("POST", hooks, partial(create, place)),
        ("GET", hook, partial(get, place)),
        ("PUT", hook, partial(edit, place)),
        ("DELETE", hook, partial(delete, place)),
    ]
    for pairs in ("custom_headers", "url_variables"):
        rows += [
            ("PUT", f"{hook}/{pairs}/:key", partial(set_pair, place, pairs)),
            ("DELETE", f"{hook}/{pairs}/:key", partial(delete_pair, place, pairs)),
        ]
    if place is SYSTEM:
        return [*rows, ("POST", hook, hook_runs.test_system_hook)]
    return [
        *rows,
        ("GET", f"{hook}/events", partial(events, place)),
        ("POST", f"{hook}/events/:hook_event_id/resend", partial(hook_runs.resend, place)),
        ("POST", f"{hook}/test/:trigger", partial(hook_runs.test, place)),
    ]


TABLE = tuple(row for place in (PROJECT, GROUP, SYSTEM) for row in _of(place))
