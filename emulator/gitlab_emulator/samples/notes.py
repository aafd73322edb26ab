"""Note Hook, Confidential Note Hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues, merge_requests, parts
from gitlab_emulator.state import Issue

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Act, Json, Scene, Setting
    from gitlab_emulator.state import Note, Noteable


def attributes(setting: Setting, on: Noteable, note: Note) -> Json:
    """The note as events show it, without the action."""
    kind, page = ("Issue", "issues") if isinstance(on, Issue) else ("MergeRequest", "merge_requests")
    return {
        "id": note.id,
        "note": note.body,
        "description": note.body,
        "noteable_type": kind,
        "noteable_id": on.id,
        "author_id": note.author_id,
        "project_id": setting.project.id,
        "discussion_id": note.discussion_id,
        "created_at": parts.utc(note.created_at),
        "updated_at": parts.utc(note.updated_at),
        "updated_by_id": None,
        "internal": note.internal,
        "system": note.system,
        "type": note.kind,
        "attachment": None,
        "commit_id": None,
        "line_code": None,
        "st_diff": None,
        "position": note.position,
        "original_position": note.position,
        "change_position": None,
        "resolved_at": parts.utc(note.resolved_at),
        "resolved_by_id": note.resolved_by_id,
        "resolved_by_push": None,
        "url": parts.url(setting, f"/-/{page}/{on.iid}#note_{note.id}"),
    }


def event(act: Act, on: Noteable, note: Note, action: str) -> Json:
    """The note is written (create) or edited (update)."""
    about = (
        {"issue": issues.attributes(act, on)}
        if isinstance(on, Issue)
        else {"merge_request": merge_requests.attributes(act, on)}
    )
    return {
        "object_kind": "note",
        "event_type": trigger(on, note),
        "user": parts.user(act.user),
        "project_id": act.project.id,
        "project": parts.project_with_old_names(act),
        "object_attributes": {**attributes(act, on, note), "action": action},
        "repository": parts.repository(act),
        **about,
    }


def trigger(on: Noteable, note: Note) -> str:
    """The hooks' switch for events of this note, and the event's own name of its kind."""
    confidential = note.internal or (isinstance(on, Issue) and on.confidential)
    return "confidential_note" if confidential else "note"


def on_issue(scene: Scene) -> Json:
    """Somebody comments on the issue."""
    return _commented(scene, scene.issue)


def on_merge_request(scene: Scene) -> Json:
    """Somebody comments on the merge request."""
    return _commented(scene, scene.merge_request)


def _commented(scene: Scene, on: Noteable) -> Json:
    note = scene.newest_note(on)
    return event(scene.by(scene.state.users[note.author_id]), on, note, "create")
