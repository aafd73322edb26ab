"""Every sample event there is, by the name that the command line takes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gitlab_emulator.samples import (
    branches,
    ci,
    ci_endings,
    deployments,
    emoji,
    feature_flags,
    groups,
    issues,
    merge_request_actions,
    merge_requests,
    milestones,
    more_notes,
    notes,
    pushes,
    releases,
    system,
    templates,
    tokens,
    vulnerabilities,
    wiki_pages,
    work_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlab_emulator.samples.scene import Json, Scene

# X-Gitlab-Event, the hook's switch for it (the API's attribute without `_events`), and the samples by name.
GROUPS: dict[str, tuple[str, dict[str, Callable[[Scene], Json]]]] = {
    "Push Hook": (
        "push",
        {
            "push": pushes.pushed,
            "push-branch-create": branches.created,
            "push-branch-delete": branches.deleted,
        },
    ),
    "Tag Push Hook": (
        "tag_push",
        {"tag-push": pushes.tag_pushed, "tag-push-delete": branches.tag_deleted},
    ),
    "Issue Hook": (
        "issues",
        {
            "issue-open": issues.opened,
            "issue-update": issues.updated,
            "issue-close": issues.closed,
            "issue-reopen": issues.reopened,
            "task-open": work_items.task_opened,
            "task-close": work_items.task_closed,
            "incident-open": work_items.incident_opened,
            "epic-open": work_items.epic_opened,
            "custom-template": templates.message,
        },
    ),
    "Confidential Issue Hook": (
        "confidential_issues",
        {
            "confidential-issue-open": issues.opened_confidentially,
            "confidential-issue-update": work_items.issue_updated_confidentially,
            "confidential-issue-close": work_items.issue_closed_confidentially,
            "confidential-task-open": work_items.confidential_task_opened,
        },
    ),
    "Note Hook": (
        "note",
        {
            "note-issue": notes.on_issue,
            "note-merge-request": notes.on_merge_request,
            "note-commit": more_notes.on_commit,
            "note-snippet": more_notes.on_snippet,
            "note-update": more_notes.edited,
        },
    ),
    "Confidential Note Hook": (
        "confidential_note",
        {
            "confidential-note": more_notes.internal,
            "note-confidential-issue": more_notes.on_confidential_issue,
        },
    ),
    "Merge Request Hook": (
        "merge_requests",
        {
            "merge-request-open": merge_requests.opened,
            "merge-request-update": merge_requests.updated,
            "merge-request-ready": merge_request_actions.made_ready,
            "merge-request-review-request": merge_request_actions.review_requested,
            "merge-request-approval": merge_request_actions.approval,
            "merge-request-approved": merge_requests.approved,
            "merge-request-unapproval": merge_request_actions.unapproval,
            "merge-request-unapproved": merge_request_actions.unapproved,
            "merge-request-approvals-reset": merge_request_actions.reset,
            "merge-request-close": merge_request_actions.closed,
            "merge-request-reopen": merge_request_actions.reopened,
            "merge-request-merge": merge_requests.merged,
        },
    ),
    "Wiki Page Hook": (
        "wiki_page",
        {
            "wiki-page-create": wiki_pages.created,
            "wiki-page-update": wiki_pages.updated,
            "wiki-page-delete": wiki_pages.deleted,
        },
    ),
    "Pipeline Hook": (
        "pipeline",
        {
            "pipeline": ci.pipeline_succeeded,
            "pipeline-running": ci_endings.pipeline_started,
            "pipeline-failed": ci_endings.pipeline_failed,
        },
    ),
    "Job Hook": (
        "job",
        {
            "job": ci.job_failed,
            "job-created": ci_endings.job_created,
            "job-success": ci_endings.job_succeeded,
        },
    ),
    "Build Hook": ("job", {"build": ci.job_failed}),  # what the header of jobs was until GitLab 9
    "Deployment Hook": (
        "deployment",
        {
            "deployment": deployments.succeeded,
            "deployment-running": deployments.started,
            "deployment-failed": deployments.failed,
            "deployment-canceled": deployments.canceled,
        },
    ),
    "Feature Flag Hook": (
        "feature_flag",
        {"feature-flag-on": feature_flags.turned_on, "feature-flag-off": feature_flags.turned_off},
    ),
    "Release Hook": (
        "releases",
        {"release": releases.created, "release-update": releases.updated, "release-delete": releases.deleted},
    ),
    "Milestone Hook": (
        "milestone",
        {
            "milestone-create": milestones.created,
            "milestone-close": milestones.closed,
            "milestone-reopen": milestones.reopened,
            "milestone-delete": milestones.deleted,
        },
    ),
    "Emoji Hook": (
        "emoji",
        {
            "emoji-award": emoji.awarded,
            "emoji-revoke": emoji.revoked,
            "emoji-award-merge-request": emoji.awarded_to_merge_request,
            "emoji-award-note": emoji.awarded_to_note,
        },
    ),
    "Resource Access Token Hook": (
        "resource_access_token",
        {
            "access-token": tokens.access_token_of_project,
            "access-token-group": tokens.access_token_of_group,
        },
    ),
    "Resource Deploy Token Hook": (
        "resource_deploy_token",
        {
            "deploy-token": tokens.deploy_token_of_project,
            "deploy-token-group": tokens.deploy_token_of_group,
        },
    ),
    "Vulnerability Hook": (
        "vulnerability",
        {
            "vulnerability-detected": vulnerabilities.detected,
            "vulnerability-confirmed": vulnerabilities.confirmed,
            "vulnerability-resolved": vulnerabilities.resolved,
        },
    ),
    "Member Hook": (
        "member",
        {
            "member-add": groups.member_added,
            "member-update": groups.member_updated,
            "member-remove": groups.member_removed,
            "member-access-request": groups.access_requested,
            "member-access-denied": groups.access_denied,
        },
    ),
    "Project Hook": (
        "project",
        {"project-create": groups.project_created, "project-destroy": groups.project_destroyed},
    ),
    "Subgroup Hook": (
        "subgroup",
        {"subgroup-create": groups.subgroup_created, "subgroup-destroy": groups.subgroup_destroyed},
    ),
    "Service Hook": (
        "",  # an integration's, no hook's
        {
            "service-push": pushes.pushed,
            "service-merge-request": merge_requests.updated,
            "service-pipeline": ci.pipeline_succeeded,
        },
    ),
    "System Hook": ("", system.SAMPLES),  # all that happens, whatever the switches
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A kind of event: `X-Gitlab-Event`, and what makes its body from a scene.

    `trigger` is the switch of the hooks that want it (`merge_requests`); empty for what no switch turns on.
    """

    event: str
    trigger: str
    build: Callable[[Scene], Json]

    @property
    def summary(self) -> str:
        """What happens in it, in a line."""
        return (self.build.__doc__ or "").partition("\n")[0]


SAMPLES = {
    name: Sample(event=event, trigger=trigger, build=build)
    for event, (trigger, named) in GROUPS.items()
    for name, build in named.items()
}


def closest(name: str) -> str | None:
    """The sample whose name is most like this one; None when none is."""
    return next(iter(get_close_matches(name.lower(), SAMPLES, n=1, cutoff=0.4)), None)
