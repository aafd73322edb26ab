"""Resource Access Token Hook and Resource Deploy Token Hook: a token will soon expire."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

ACCESS_TOKEN_ID, DEPLOY_TOKEN_ID = 91, 92
LEFT, LIVED = timedelta(days=7), timedelta(days=83)


def access_token_of_project(scene: Scene) -> Json:
    """The project's access token expires in a week."""
    return _access_token(scene, {"project": parts.project_with_old_names(scene)})


def access_token_of_group(scene: Scene) -> Json:
    """The group's access token expires in a week: there is a group and no project."""
    return _access_token(scene, {"group": _group(scene)})


def deploy_token_of_project(scene: Scene) -> Json:
    """The project's deploy token expires in a week."""
    return _deploy_token(scene, {"project": parts.project_with_old_names(scene)}, kind="project_type")


def deploy_token_of_group(scene: Scene) -> Json:
    """The group's deploy token expires in a week: there is a group and no project."""
    return _deploy_token(scene, {"group": _group(scene)}, kind="group_type")


def _access_token(scene: Scene, owner: Json) -> Json:
    return {
        "object_kind": "access_token",
        **owner,
        "object_attributes": {
            "user_id": scene.state.bot_id,
            "created_at": parts.utc(scene.now - LIVED),
            "id": ACCESS_TOKEN_ID,
            "name": "watering by night",
            "expires_at": f"{scene.now + LEFT:%Y-%m-%d}",
            "last_used_at": parts.utc(scene.now - timedelta(hours=8)),
        },
        "event_name": "expiring_access_token",
    }


def _deploy_token(scene: Scene, owner: Json, *, kind: str) -> Json:
    return {
        "object_kind": "deploy_token",
        **owner,
        "object_attributes": {
            "id": DEPLOY_TOKEN_ID,
            "name": "pump controller",
            "expires_at": parts.utc(scene.now + LEFT),
            "created_at": parts.utc(scene.now - LIVED),
            "revoked": False,
            "deploy_token_type": kind,
        },
        "event_name": "expiring_deploy_token",
    }


def _group(scene: Scene) -> Json:
    group = scene.group
    return {
        "group_id": group.id,
        "group_name": group.name,
        "group_path": group.path,
        "full_path": group.full_path,
    }
