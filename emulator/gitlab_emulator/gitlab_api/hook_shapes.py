"""The JSON that GitLab answers with for hooks and for their events; secrets never get into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api.shapes import timestamp
from gitlab_emulator.hooks.auto_disabling import alert_status
from gitlab_emulator.hooks.registration import SWITCHES, scope

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.gitlab_api.call import Json
    from gitlab_emulator.hooks.model import Hook, HookEvent
    from gitlab_emulator.hooks.request import Version

IN_ALL = ("push", "tag_push", "merge_requests", "repository_update")
ORGANIZATION_ID = 1


def hook(item: Hook, *, version: Version, now: datetime, whole: bool = True) -> Json:
    """A hook; `whole` shows the names of its URL variables and custom headers, which lists leave out."""
    kind = scope(item)
    shape: Json = {
        "id": item.id,
        "url": item.url,
        "name": item.name,
        "description": item.description,
        "created_at": timestamp(item.created_at),
        **{f"{name}_events": name in item.switches for name in IN_ALL},
        "enable_ssl_verification": item.enable_ssl_verification,
        "alert_status": alert_status(item, now),
        "disabled_until": timestamp(item.disabled_until),
        "push_events_branch_filter": item.push_events_branch_filter,
        "branch_filter_strategy": item.branch_filter_strategy,
        "custom_webhook_template": item.custom_webhook_template,
    }
    if whole:
        shape["url_variables"] = [{"key": name} for name in item.url_variables]
        shape["custom_headers"] = [{"key": name} for name in item.custom_headers]
    if version.standard_webhooks:
        shape["token_present"] = bool(item.token)
        shape["signing_token_present"] = bool(item.signing_token)
    place = {"project": item.project_id, "group": item.group_id, "system": ORGANIZATION_ID}[kind]
    shape["organization_id" if kind == "system" else f"{kind}_id"] = place
    rest = [name for name in SWITCHES[kind] if name not in IN_ALL]
    return shape | {f"{name}_events": name in item.switches for name in rest}


def event(item: HookEvent) -> Json:
    """One delivery of a hook's log."""
    return {
        "id": item.id,
        "url": item.url,
        "trigger": item.trigger,
        "request_headers": item.request_headers,
        "request_data": item.request_data,
        "response_headers": item.response_headers,
        "response_body": item.response_body,
        "execution_duration": item.execution_duration,
        "response_status": item.response_status,
        "created_at": timestamp(item.created_at),
    }
