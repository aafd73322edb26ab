"""Note Hook, Confidential Note Hook."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues, merge_requests, parts
from gitlab_emulator.samples.sample import sample
from gitlab_emulator.state import Issue, sha_of

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Act, Json, Scene, Setting
    from gitlab_emulator.state import Note, Noteable

COMMIT_NOTE_ID, SNIPPET_NOTE_ID, SNIPPET_ID = 13, 14, 21


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


def _on_issue(scene: Scene) -> Json:
    return _written(scene, scene.issue, scene.newest_note(scene.issue))


def _on_merge_request(scene: Scene) -> Json:
    return _written(scene, scene.merge_request, scene.newest_note(scene.merge_request))


def _on_confidential_issue(scene: Scene) -> Json:
    return _written(scene, replace(scene.issue, confidential=True), scene.newest_note(scene.issue))


def _internal(scene: Scene) -> Json:
    return _written(scene, scene.issue, replace(scene.newest_note(scene.issue), internal=True))


def _edited(scene: Scene) -> Json:
    note = replace(scene.newest_note(scene.issue), updated_at=scene.now)
    return _written(scene, scene.issue, note, "update")


def _on_commit(scene: Scene) -> Json:
    sha = scene.commit.sha
    return _elsewhere(
        scene,
        {
            "id": COMMIT_NOTE_ID,
            "note": "Twice in a row, or once a second?",
            "noteable_type": "Commit",
            "noteable_id": None,
            "commit_id": sha,
            "url": parts.url(scene, f"/-/commit/{sha}#note_{COMMIT_NOTE_ID}"),
        },
        about={"commit": parts.commit(scene, scene.commit)},
    )


def _on_snippet(scene: Scene) -> Json:
    page = parts.url(scene, f"/-/snippets/{SNIPPET_ID}")
    written_at = parts.utc(scene.now - timedelta(hours=3))
    snippet = {
        "id": SNIPPET_ID,
        "title": "Reading the float by hand",
        "description": "For days when the lamp is broken.",
        "content": "print(tank.float_mm())\n",
        "file_name": "float.py",
        "author_id": scene.maintainer.id,
        "project_id": scene.project.id,
        "created_at": written_at,
        "updated_at": written_at,
        "type": "ProjectSnippet",
        "visibility_level": parts.VISIBILITY_LEVELS["public"],
        "url": page,
    }
    attributes = {
        "id": SNIPPET_NOTE_ID,
        "note": "Works with the west tank as well.",
        "noteable_type": "Snippet",
        "noteable_id": SNIPPET_ID,
        "url": f"{page}#note_{SNIPPET_NOTE_ID}",
    }
    return _elsewhere(scene, attributes, about={"snippet": snippet})


def _written(scene: Scene, on: Noteable, note: Note, action: str = "create") -> Json:
    return event(scene.by(scene.state.users[note.author_id]), on, note, action)


def _elsewhere(scene: Scene, attributes: Json, *, about: Json) -> Json:
    """Return the event of the note on the issue as that of a note on something else."""
    found = _on_issue(scene)
    del found["issue"]
    found["object_attributes"].update(
        attributes,
        description=attributes["note"],
        discussion_id=sha_of(f"discussion {attributes['id']}"),
        created_at=parts.utc(scene.now),
        updated_at=parts.utc(scene.now),
    )
    return {**found, **about}


NOTES = [
    sample("note-issue", "Somebody comments on the issue.", _on_issue),
    sample("note-merge-request", "Somebody comments on the merge request.", _on_merge_request),
    sample(
        "note-commit",
        "Somebody comments on a commit: noteable_id is null, commit_id names the commit.",
        _on_commit,
    ),
    sample("note-snippet", "Somebody comments on a snippet.", _on_snippet),
    sample("note-update", "Somebody edits a comment on the issue: action is update.", _edited),
]
CONFIDENTIAL_NOTES = [
    sample(
        "confidential-note",
        "Somebody comments on the issue for members only: another header, another event_type.",
        _internal,
    ),
    sample(
        "note-confidential-issue",
        "Somebody comments on a confidential issue: the comment itself is not internal.",
        _on_confidential_issue,
    ),
]
