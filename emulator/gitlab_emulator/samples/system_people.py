"""System Hook: accounts, their keys, and who is a member of what. Flat, told apart by `event_name`.

https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts, places
from gitlab_emulator.samples.groups import change
from gitlab_emulator.samples.sample import sample
from gitlab_emulator.samples.system_places import samples_of

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

KEY_ID, MEMBER_ID = 51, 61
GUEST, DEVELOPER = 10, 30
MORE: dict[str, Json] = {
    "user_rename": {"old_username": "basil-l"},
    "user_failed_login": {"state": "blocked"},
}


def _user(scene: Scene, event_name: str) -> Json:
    person = scene.reporter
    return {
        **change(scene, event_name).as_json(),
        "name": person.name,
        "email": "[REDACTED]",
        "user_id": person.id,
        "username": person.username,
        **MORE.get(event_name, {}),
    }


def _key(scene: Scene, event_name: str) -> Json:
    return {
        **change(scene, event_name).as_json(),
        "username": scene.reporter.username,
        "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 not-a-key basil@shed",
        "id": KEY_ID,
    }


def _of_group(scene: Scene, event_name: str) -> Json:
    what = change(scene, event_name)
    return places.group_member_for_system(what, scene.group, scene.reporter, "Developer")


def _of_project(scene: Scene, event_name: str) -> Json:
    what = change(scene, event_name)
    return places.project_member_for_system(what, scene.project, scene.reporter, "Developer")


def _reviewed(scene: Scene, action: str, attributes: Json) -> Json:
    return {
        "object_kind": "gitlab_subscription_member_approvals",
        "action": action,
        "object_attributes": attributes,
        "reviewed_by_user_id": scene.maintainer.id,
        "user_id": scene.reporter.id,
        "updated_at": parts.iso(scene.now),
    }


def _queued(scene: Scene) -> Json:
    return {
        "object_kind": "gitlab_subscription_member_approval",
        "action": "enqueue",
        "object_attributes": {
            "new_access_level": DEVELOPER,
            "old_access_level": GUEST,
            "existing_member_id": MEMBER_ID,
        },
        "user_id": scene.reporter.id,
        "requested_by_user_id": scene.maintainer.id,
        "promotion_namespace_id": scene.project.namespace_id,
        "created_at": parts.iso(scene.now),
        "updated_at": parts.iso(scene.now),
    }


SAMPLES = [
    *samples_of(
        _user,
        user_create="An account is created.",
        user_destroy="An account is deleted.",
        user_rename="An account gets another user name.",
        user_failed_login="A blocked user tries to sign in.",
    ),
    *samples_of(
        _key,
        key_create="An SSH key is added to an account.",
        key_destroy="An SSH key is removed from an account.",
    ),
    *samples_of(
        _of_project,
        user_add_to_team="The reporter becomes a member of the project.",
        user_update_for_team="The reporter gets another role in the project.",
        user_remove_from_team="The reporter is no longer a member of the project.",
    ),
    *samples_of(
        _of_group,
        user_add_to_group="The reporter becomes a member of the group.",
        user_update_for_group="The reporter gets another role in the group.",
        user_remove_from_group="The reporter is no longer a member of the group.",
        user_access_request_to_group="The reporter asks to join the group.",
        user_access_request_revoked_for_group="The request to join the group is withdrawn or denied.",
    ),
    *samples_of(
        _of_project,
        user_access_request_to_project="The reporter asks to join the project.",
        user_access_request_revoked_for_project="The request to join the project is withdrawn or denied.",
    ),
    sample(
        "system-member-approval-enqueue",
        "A promotion waits for an administrator: object_kind and action instead of event_name.",
        _queued,
    ),
    sample(
        "system-member-approvals-approve",
        "An administrator approves the promotion.",
        _reviewed,
        "approve",
        {"promotion_request_ids_that_failed_to_apply": [], "status": "success"},
    ),
    sample(
        "system-member-approvals-deny",
        "An administrator denies the promotion.",
        _reviewed,
        "deny",
        {"status": "success"},
    ),
]
