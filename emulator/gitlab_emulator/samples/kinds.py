"""The X-Gitlab-Event of a body, as far as the body determines it."""

from __future__ import annotations

BY_KIND = {
    "push": "Push Hook",
    "tag_push": "Tag Push Hook",
    "issue": "Issue Hook",
    "work_item": "Issue Hook",
    "confidential_issue": "Confidential Issue Hook",
    "confidential_work_item": "Confidential Issue Hook",
    "note": "Note Hook",
    "confidential_note": "Confidential Note Hook",
    "merge_request": "Merge Request Hook",
    "wiki_page": "Wiki Page Hook",
    "pipeline": "Pipeline Hook",
    "build": "Job Hook",
    "deployment": "Deployment Hook",
    "feature_flag": "Feature Flag Hook",
    "release": "Release Hook",
    "milestone": "Milestone Hook",
    "emoji": "Emoji Hook",
    "access_token": "Resource Access Token Hook",
    "deploy_token": "Resource Deploy Token Hook",
    "vulnerability": "Vulnerability Hook",
    "gitlab_subscription_member_approval": "System Hook",
    "gitlab_subscription_member_approvals": "System Hook",
}


def header_of(body: object) -> str | None:
    """The header that GitLab sends this with; None for bodies without `object_kind`, which do not tell.

    System hooks send some of these bodies too; they are taken for those of a project's hook.
    """
    if not isinstance(body, dict):
        return None
    for name in ("event_type", "object_kind"):  # confidential ones differ in the first
        kind = body.get(name)
        if isinstance(kind, str) and kind in BY_KIND:
            return BY_KIND[kind]
    return None
