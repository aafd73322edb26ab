"""System Hook: accounts, their keys, and who is a member of what. Flat, told apart by `event_name`.

https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts, places
from gitlab_emulator.samples.groups import change

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

KEY_ID, MEMBER_ID = 51, 61
GUEST, DEVELOPER = 10, 30


def user_created(scene: Scene) -> Json:
    """An account is made."""
    return _user(scene, "user_create", new=True)


def user_destroyed(scene: Scene) -> Json:
    """An account is deleted."""
    return _user(scene, "user_destroy")


def user_renamed(scene: Scene) -> Json:
    """An account gets another user name."""
    return {**_user(scene, "user_rename"), "old_username": "basil-l"}


def login_failed(scene: Scene) -> Json:
    """Somebody who is blocked tries to sign in."""
    return {**_user(scene, "user_failed_login"), "state": "blocked"}


def key_created(scene: Scene) -> Json:
    """An SSH key is added to an account."""
    return _key(scene, "key_create", new=True)


def key_destroyed(scene: Scene) -> Json:
    """An SSH key is taken from an account."""
    return _key(scene, "key_destroy")


def added_to_group(scene: Scene) -> Json:
    """The reporter becomes a member of the group."""
    return _of_group(scene, "user_add_to_group", new=True)


def updated_for_group(scene: Scene) -> Json:
    """The reporter gets another role in the group."""
    return _of_group(scene, "user_update_for_group")


def removed_from_group(scene: Scene) -> Json:
    """The reporter is a member of the group no more."""
    return _of_group(scene, "user_remove_from_group")


def requested_for_group(scene: Scene) -> Json:
    """The reporter asks to become a member of the group."""
    return _of_group(scene, "user_access_request_to_group", new=True)


def request_revoked_for_group(scene: Scene) -> Json:
    """The reporter's request for the group is withdrawn or denied."""
    return _of_group(scene, "user_access_request_revoked_for_group")


def added_to_team(scene: Scene) -> Json:
    """The reporter becomes a member of the project."""
    return _of_project(scene, "user_add_to_team", new=True)


def updated_for_team(scene: Scene) -> Json:
    """The reporter gets another role in the project."""
    return _of_project(scene, "user_update_for_team")


def removed_from_team(scene: Scene) -> Json:
    """The reporter is a member of the project no more."""
    return _of_project(scene, "user_remove_from_team")


def requested_for_project(scene: Scene) -> Json:
    """The reporter asks to become a member of the project."""
    return _of_project(scene, "user_access_request_to_project", new=True)


def request_revoked_for_project(scene: Scene) -> Json:
    """The reporter's request for the project is withdrawn or denied."""
    return _of_project(scene, "user_access_request_revoked_for_project")


def promotion_queued(scene: Scene) -> Json:
    """A promotion waits for an administrator: object_kind and action instead of event_name."""
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


def promotion_approved(scene: Scene) -> Json:
    """An administrator approves of the promotion."""
    attributes: Json = {"promotion_request_ids_that_failed_to_apply": [], "status": "success"}
    return _reviewed(scene, "approve", attributes)


def promotion_denied(scene: Scene) -> Json:
    """An administrator denies the promotion."""
    return _reviewed(scene, "deny", {"status": "success"})


def _user(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    person = scene.reporter
    return {
        **change(scene, event_name, new=new).as_json(),
        "name": person.name,
        "email": "[REDACTED]",
        "user_id": person.id,
        "username": person.username,
    }


def _key(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    return {
        **change(scene, event_name, new=new).as_json(),
        "username": scene.reporter.username,
        "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 not-a-key basil@shed",
        "id": KEY_ID,
    }


def _of_group(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    what = change(scene, event_name, new=new)
    return places.group_member_for_system(what, scene.group, scene.reporter, "Developer")


def _of_project(scene: Scene, event_name: str, *, new: bool = False) -> Json:
    what = change(scene, event_name, new=new)
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
