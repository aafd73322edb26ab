"""Merge Request Hook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Act, Json, Scene, Setting
    from gitlab_emulator.state import MergeRequest

STATE_IDS = {"opened": 1, "closed": 2, "merged": 3, "locked": 4}
CHECKING = {"merge_status": "checking", "detailed_merge_status": "checking"}


def attributes(setting: Setting, item: MergeRequest) -> Json:
    """The merge request as events show it, without the action."""
    return {
        "id": item.id,
        "iid": item.iid,
        "title": item.title,
        "description": item.description,
        "author_id": item.author_id,
        "assignee_id": item.assignee_ids[0] if item.assignee_ids else None,
        "assignee_ids": item.assignee_ids,
        "reviewer_ids": item.reviewer_ids,
        "source_branch": item.source_branch,
        "source_project_id": setting.project.id,
        "source": parts.project_with_old_names(setting),
        "target_branch": item.target_branch,
        "target_project_id": setting.project.id,
        "target": parts.project_with_old_names(setting),
        "last_commit": parts.commit(setting, item.commits[-1]),
        "state": item.state,
        "state_id": STATE_IDS[item.state],
        "draft": item.draft,
        "work_in_progress": item.draft,
        "created_at": parts.utc(item.created_at),
        "updated_at": parts.utc(item.updated_at),
        "prepared_at": parts.utc(item.created_at),
        "actioned_at": parts.utc(setting.now),
        "merged_at": parts.utc(item.merged_at),
        "updated_by_id": item.updated_by_id,
        "last_edited_at": parts.utc(item.last_edited_at),
        "last_edited_by_id": item.last_edited_by_id,
        "merge_commit_sha": item.merge_commit_sha,
        "merge_error": None,
        "merge_params": {"force_remove_source_branch": "1"},
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable" if item.state == "opened" else "not_open",
        "merge_user_id": item.merged_by_id,
        "merge_when_pipeline_succeeds": False,
        "blocking_discussions_resolved": True,
        "first_contribution": False,
        "head_pipeline_id": head_pipeline_id(setting, item),
        "milestone_id": None,
        "time_estimate": 0,
        "total_time_spent": 0,
        "time_change": 0,
        "human_time_estimate": None,
        "human_total_time_spent": None,
        "human_time_change": None,
        "labels": parts.labels(setting, item.labels),
        "approval_rules": [],
        "system": False,
        "url": parts.url(setting, f"/-/merge_requests/{item.iid}"),
    }


def head_pipeline_id(setting: Setting, item: MergeRequest) -> int | None:
    """The newest pipeline over its newest commit."""
    found = [pipeline.id for pipeline in setting.project.pipelines.values() if pipeline.sha == item.sha]
    return found[-1] if found else None


def changes(setting: Setting, before: MergeRequest, after: MergeRequest) -> Json:
    """What an act changed, as the event shows it; empty when nothing did."""
    found = parts.changed(_tracked(setting, before), _tracked(setting, after))
    return {} if found.keys() <= {"updated_at", "updated_by_id"} else found


def event(
    act: Act,
    item: MergeRequest,
    action: str,
    *,
    before: MergeRequest | None = None,
    oldrev: str | None = None,
) -> Json:
    """The act upon the merge request, as it is now and was before it.

    `oldrev` is what the source branch pointed at before an update that brought commits. An approval
    changes nothing, and has no before.
    """
    now = attributes(act, item)
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": parts.user(act.user),
        "project": parts.project_with_old_names(act),
        "object_attributes": {
            **now,
            **(CHECKING if action == "open" else {}),  # GitLab is still finding out whether it can be merged
            **({"oldrev": oldrev} if oldrev else {}),
            "action": action,
        },
        "labels": now["labels"],
        "changes": {} if before is None else changes(act, before, item),
        "repository": parts.repository(act),
        "assignees": parts.people(act, item.assignee_ids),
        "reviewers": [
            {**person, "state": _review_of(item, person["id"]), "re_requested": False}
            for person in parts.people(act, item.reviewer_ids)
        ],
    }


def _review_of(item: MergeRequest, user_id: int) -> str:
    return "approved" if user_id in item.approved_by_ids else "unreviewed"


def _tracked(setting: Setting, item: MergeRequest) -> Json:
    names = ("title", "description", "target_branch", "state_id", "draft", "merged_at", "merge_user_id")
    edits = ("last_edited_at", "last_edited_by_id", "updated_at", "updated_by_id")
    known = attributes(setting, item)
    return {
        **{name: known[name] for name in (*names, *edits)},
        "assignees": parts.people(setting, item.assignee_ids),
        "reviewers": parts.people(setting, item.reviewer_ids),
        "labels": known["labels"],
    }


def opened(scene: Scene) -> Json:
    """Return the event of its opening."""
    new = replace(scene.merge_request, state="opened", updated_at=scene.merge_request.created_at)
    return event(scene.by(scene.maintainer), new, "open")


def updated(scene: Scene) -> Json:
    """Return the event of a push to its source branch."""
    after = replace(scene.merge_request, updated_at=scene.now)
    body = event(scene.by(scene.maintainer), after, "update", oldrev=scene.commit.parent_sha)
    before, now = parts.utc(scene.merge_request.updated_at), parts.utc(scene.now)
    return {**body, "changes": {"updated_at": {"previous": before, "current": now}}}


def _merged(scene: Scene) -> Json:
    before = replace(scene.merge_request, state="opened")
    after = replace(
        scene.merge_request,
        state="merged",
        updated_at=scene.now,
        merged_at=scene.now,
        merged_by_id=scene.maintainer.id,
        merge_commit_sha=scene.commit.sha,
    )
    return event(scene.by(scene.maintainer), after, "merge", before=before)


def _closed(scene: Scene) -> Json:
    before = replace(scene.merge_request, state="opened")
    after = replace(before, state="closed", updated_at=scene.now, closed_at=scene.now)
    return _by_maintainer(scene, "close", before, after)


def _reopened(scene: Scene) -> Json:
    before = replace(scene.merge_request, state="closed")
    after = replace(before, state="opened", updated_at=scene.now)
    return _by_maintainer(scene, "reopen", before, after)


def _reset(scene: Scene) -> Json:
    found = _of_reporter(scene, "unapproval", approved=False)
    found["object_attributes"].update(system=True, system_action="approvals_reset_on_push")
    return {**found, "user": parts.user(scene.maintainer)}


def _made_ready(scene: Scene) -> Json:
    before = replace(scene.merge_request, title=f"Draft: {scene.merge_request.title}")
    after = replace(scene.merge_request, updated_at=scene.now)
    return _by_maintainer(scene, "update", before, after)


def _review_requested(scene: Scene) -> Json:
    before = scene.merge_request
    after = replace(before, reviewer_ids=[scene.reporter.id], updated_at=scene.now)
    return _by_maintainer(scene, "update", before, after)


def _by_maintainer(scene: Scene, action: str, before: MergeRequest, after: MergeRequest) -> Json:
    return event(scene.by(scene.maintainer), after, action, before=before)


def _of_reporter(scene: Scene, action: str, *, approved: bool) -> Json:
    ids = [scene.reporter.id] if approved else []
    after = replace(scene.merge_request, updated_at=scene.now, approved_by_ids=ids)
    return event(scene.by(scene.reporter), after, action)


PUSHED_TO = "A commit is pushed to the source branch: an update with `oldrev`."
SAMPLES = [
    sample(
        "merge-request-open",
        "The maintainer opens it; GitLab is still finding out whether it can be merged.",
        opened,
    ),
    sample("merge-request-update", PUSHED_TO, updated),
    sample(
        "merge-request-ready",
        "The maintainer marks a draft as ready: an update without `oldrev`.",
        _made_ready,
    ),
    sample(
        "merge-request-review-request", "The maintainer asks the reporter for a review.", _review_requested
    ),
    sample(
        "merge-request-approval",
        "The reporter approves, but more approvals are needed; `approved` comes with the last of them.",
        _of_reporter,
        "approval",
        approved=True,
    ),
    sample(
        "merge-request-approved",
        "The reporter approves, and that suffices.",
        _of_reporter,
        "approved",
        approved=True,
    ),
    sample(
        "merge-request-unapproval",
        "The reporter takes back an approval, and it was not fully approved before.",
        _of_reporter,
        "unapproval",
        approved=False,
    ),
    sample(
        "merge-request-unapproved",
        "The reporter takes back an approval that it needs.",
        _of_reporter,
        "unapproved",
        approved=False,
    ),
    sample(
        "merge-request-approvals-reset",
        "GitLab takes back the approvals after a push: system is true, system_action says why.",
        _reset,
    ),
    sample("merge-request-close", "The maintainer closes it without merging.", _closed),
    sample("merge-request-reopen", "The maintainer reopens it.", _reopened),
    sample("merge-request-merge", "The maintainer merges it.", _merged),
]
SERVICE = [sample("service-merge-request", PUSHED_TO, updated)]
