"""Resource Access Token Hook and Resource Deploy Token Hook: a token will soon expire."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlab_emulator.samples.scene import Json, Scene

    Owner = Callable[[Scene], Json]

ACCESS_TOKEN_ID, DEPLOY_TOKEN_ID = 91, 92
LEFT, LIVED = timedelta(days=7), timedelta(days=83)


def _access_token(scene: Scene, owner: Owner) -> Json:
    return {
        "object_kind": "access_token",
        **owner(scene),
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


def _deploy_token(scene: Scene, owner: Owner) -> Json:
    return {
        "object_kind": "deploy_token",
        **owner(scene),
        "object_attributes": {
            "id": DEPLOY_TOKEN_ID,
            "name": "pump controller",
            "expires_at": parts.utc(scene.now + LEFT),
            "created_at": parts.utc(scene.now - LIVED),
            "revoked": False,
            "deploy_token_type": "project_type" if owner is _of_project else "group_type",
        },
        "event_name": "expiring_deploy_token",
    }


def _of_project(scene: Scene) -> Json:
    return {"project": parts.project_with_old_names(scene)}


def _of_group(scene: Scene) -> Json:
    group = scene.group
    return {
        "group": {
            "group_id": group.id,
            "group_name": group.name,
            "group_path": group.path,
            "full_path": group.full_path,
        }
    }


ACCESS_TOKENS = [
    sample("access-token", "The project's access token expires in a week.", _access_token, _of_project),
    sample(
        "access-token-group",
        "The group's access token expires in a week: there is a group and no project.",
        _access_token,
        _of_group,
    ),
]
DEPLOY_TOKENS = [
    sample("deploy-token", "The project's deploy token expires in a week.", _deploy_token, _of_project),
    sample(
        "deploy-token-group",
        "The group's deploy token expires in a week: there is a group and no project.",
        _deploy_token,
        _of_group,
    ),
]
