"""All sample events, by the name that the command line takes."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gitlab_emulator.samples import (
    ci,
    deployments,
    emoji,
    feature_flags,
    groups,
    issues,
    merge_requests,
    milestones,
    notes,
    pushes,
    releases,
    system_people,
    system_places,
    tokens,
    vulnerabilities,
    wiki_pages,
    work_items,
)

if TYPE_CHECKING:
    from gitlab_emulator.samples.sample import Sample

# X-Gitlab-Event, the hook's switch for it (the API's attribute without `_events`), and its samples.
HEADERS: tuple[tuple[str, str, list[Sample]], ...] = (
    ("Push Hook", "push", pushes.PUSHES),
    ("Tag Push Hook", "tag_push", pushes.TAG_PUSHES),
    ("Issue Hook", "issues", [*issues.ISSUES, *work_items.WORK_ITEMS, *issues.CUSTOM_TEMPLATE]),
    (
        "Confidential Issue Hook",
        "confidential_issues",
        [*issues.CONFIDENTIAL, *work_items.CONFIDENTIAL],
    ),
    ("Note Hook", "note", notes.NOTES),
    ("Confidential Note Hook", "confidential_note", notes.CONFIDENTIAL_NOTES),
    ("Merge Request Hook", "merge_requests", merge_requests.SAMPLES),
    ("Wiki Page Hook", "wiki_page", wiki_pages.SAMPLES),
    ("Pipeline Hook", "pipeline", ci.PIPELINES),
    ("Job Hook", "job", ci.JOBS),
    ("Build Hook", "job", ci.BUILDS),  # the header of jobs until GitLab 9
    ("Deployment Hook", "deployment", deployments.SAMPLES),
    ("Feature Flag Hook", "feature_flag", feature_flags.SAMPLES),
    ("Release Hook", "releases", releases.SAMPLES),
    ("Milestone Hook", "milestone", milestones.SAMPLES),
    ("Emoji Hook", "emoji", emoji.SAMPLES),
    ("Resource Access Token Hook", "resource_access_token", tokens.ACCESS_TOKENS),
    ("Resource Deploy Token Hook", "resource_deploy_token", tokens.DEPLOY_TOKENS),
    ("Vulnerability Hook", "vulnerability", vulnerabilities.SAMPLES),
    ("Member Hook", "member", groups.MEMBERS),
    ("Project Hook", "project", groups.PROJECTS),
    ("Subgroup Hook", "subgroup", groups.SUBGROUPS),
    # an integration's, which no hook's switch turns on
    ("Service Hook", "", [*pushes.SERVICE, *merge_requests.SERVICE, *ci.SERVICE]),
    ("System Hook", "", [*system_places.SAMPLES, *system_people.SAMPLES]),  # sent whatever the switches
)

SAMPLES = {
    sample.name: replace(sample, event=event, trigger=trigger)
    for event, trigger, samples in HEADERS
    for sample in samples
}


def by_event() -> dict[str, list[Sample]]:
    """Return the samples under each `X-Gitlab-Event`."""
    found: dict[str, list[Sample]] = {}
    for sample in SAMPLES.values():
        found.setdefault(sample.event, []).append(sample)
    return found


def closest(name: str) -> str | None:
    """Return the name that is most like this one; None when none is."""
    return next(iter(get_close_matches(name.lower(), SAMPLES, n=1, cutoff=0.4)), None)
