"""Note Hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.samples import issues, merge_requests, parts
from emulator.state import Issue, sha_of

if TYPE_CHECKING:
    from emulator.samples.scene import Json, Scene
    from emulator.state import Noteable


def on_issue(scene: Scene) -> Json:
    """Somebody comments on the issue."""
    return {**_event(scene, scene.issue), "issue": issues.attributes(scene)}


def on_merge_request(scene: Scene) -> Json:
    """Somebody comments on the merge request."""
    return {**_event(scene, scene.merge_request), "merge_request": merge_requests.attributes(scene)}


def _event(scene: Scene, on: Noteable) -> Json:
    note = scene.newest_note(on)
    kind, page = ("Issue", "issues") if isinstance(on, Issue) else ("MergeRequest", "merge_requests")
    return {
        "object_kind": "note",
        "event_type": "note",
        "user": parts.user(scene.state.users[note.author_id]),
        "project_id": scene.project.id,
        "project": parts.project_with_old_names(scene),
        "object_attributes": {
            "id": note.id,
            "note": note.body,
            "description": note.body,
            "noteable_type": kind,
            "noteable_id": on.id,
            "author_id": note.author_id,
            "project_id": scene.project.id,
            "discussion_id": sha_of(f"discussion {note.id}"),
            "created_at": parts.utc(note.created_at),
            "updated_at": parts.utc(note.updated_at),
            "updated_by_id": None,
            "internal": note.internal,
            "system": note.system,
            "type": None,
            "attachment": None,
            "commit_id": None,
            "line_code": None,
            "st_diff": None,
            "position": None,
            "original_position": None,
            "change_position": None,
            "resolved_at": None,
            "resolved_by_id": None,
            "resolved_by_push": None,
            "action": "create",
            "url": parts.url(scene, f"/-/{page}/{on.iid}#note_{note.id}"),
        },
        "repository": parts.repository(scene),
    }
