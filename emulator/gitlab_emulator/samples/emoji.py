"""Emoji Hook: `event_type` is award or revoke, what it is about comes along whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues, merge_requests, notes, parts
from gitlab_emulator.samples.sample import sample
from gitlab_emulator.state import Award, Issue

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Act, Json, Scene
    from gitlab_emulator.state import Note, Noteable

AWARD_ID = 9401


def event(act: Act, award: Award, action: str, on: Noteable, note: Note | None = None) -> Json:
    """Somebody reacts (award) or takes it back (revoke): to an issue or merge request, or to a note on it."""
    kind, item = (
        ("issue", issues.attributes(act, on))
        if isinstance(on, Issue)
        else ("merge_request", merge_requests.attributes(act, on))
    )
    about = {kind: item} if note is None else {"note": notes.attributes(act, on, note), kind: item}
    name = ("Issue" if isinstance(on, Issue) else "MergeRequest") if note is None else "Note"
    return {
        "object_kind": "emoji",
        "event_type": action,
        "user": parts.user(act.user),
        "project_id": act.project.id,
        "project": parts.project_with_old_names(act),
        "object_attributes": {
            "id": award.id,
            "user_id": award.user_id,
            "name": award.name,
            "awardable_type": name,
            "awardable_id": on.id if note is None else note.id,
            "created_at": parts.utc(award.created_at),
            "updated_at": parts.utc(award.created_at),
            "action": action,
            "awarded_on_url": next(iter(about.values()))["url"],
        },
        **about,
    }


def _reacted(scene: Scene, action: str, on: Noteable, note: Note | None = None) -> Json:
    award = Award(id=AWARD_ID, name="seedling", user_id=scene.maintainer.id, created_at=scene.now)
    return event(scene.by(scene.maintainer), award, action, on, note)


def _to_issue(scene: Scene, action: str) -> Json:
    return _reacted(scene, action, scene.issue)


SAMPLES = [
    sample("emoji-award", "The maintainer reacts to the issue.", _to_issue, "award"),
    sample("emoji-revoke", "The maintainer takes the reaction back.", _to_issue, "revoke"),
    sample(
        "emoji-award-merge-request",
        "The maintainer reacts to the merge request.",
        lambda scene: _reacted(scene, "award", scene.merge_request),
    ),
    sample(
        "emoji-award-note",
        "The maintainer reacts to a comment on the issue: both are in the body.",
        lambda scene: _reacted(scene, "award", scene.issue, scene.newest_note(scene.issue)),
    ),
]
