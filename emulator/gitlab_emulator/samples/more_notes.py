"""Note Hook and Confidential Note Hook besides new public notes on issues and merge requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import notes, parts
from gitlab_emulator.state import sha_of

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene
    from gitlab_emulator.state import Issue, Note

COMMIT_NOTE_ID, SNIPPET_NOTE_ID, SNIPPET_ID = 13, 14, 21


def on_commit(scene: Scene) -> Json:
    """Somebody comments on a commit: noteable_id is null, commit_id says which."""
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


def on_snippet(scene: Scene) -> Json:
    """Somebody comments on a snippet."""
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


def edited(scene: Scene) -> Json:
    """Somebody edits a comment on the issue: action is update."""
    note = scene.newest_note(scene.issue)
    return _on_issue(scene, scene.issue, replace(note, updated_at=scene.now), "update")


def internal(scene: Scene) -> Json:
    """Somebody comments on the issue for members only: another header, another event_type."""
    note = replace(scene.newest_note(scene.issue), internal=True)
    return _on_issue(scene, scene.issue, note, "create")


def on_confidential_issue(scene: Scene) -> Json:
    """Somebody comments on a confidential issue: the comment itself is not internal."""
    issue = replace(scene.issue, confidential=True)
    return _on_issue(scene, issue, scene.newest_note(scene.issue), "create")


def _on_issue(scene: Scene, issue: Issue, note: Note, action: str) -> Json:
    return notes.event(scene.by(scene.state.users[note.author_id]), issue, note, action)


def _elsewhere(scene: Scene, attributes: Json, *, about: Json) -> Json:
    """A note on the issue as a note on something else."""
    event = notes.on_issue(scene)
    del event["issue"]
    event["object_attributes"].update(
        attributes,
        description=attributes["note"],
        discussion_id=sha_of(f"discussion {attributes['id']}"),
        created_at=parts.utc(scene.now),
        updated_at=parts.utc(scene.now),
    )
    return {**event, **about}
