"""Issue Hook and Confidential Issue Hook of what is no plain issue, or is done to a confidential one.

Tasks, incidents and epics come under the issues' header with `object_kind` work_item and the type in
`object_attributes.type`: "Work item events" in
https://docs.gitlab.com/user/project/integrations/webhook_events/ .
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues, parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

TASK_ID, TASK_IID = 45, 5
INCIDENT_ID, INCIDENT_IID = 46, 6
EPIC_ID, EPIC_IID = 47, 3


def _task_opened(scene: Scene) -> Json:
    return _task(scene, issues.opened(scene))


def _task_closed(scene: Scene) -> Json:
    return _task(scene, issues.closed(scene))


def _confidential_task_opened(scene: Scene) -> Json:
    return _task(scene, issues.opened(_confidential(scene)))


def _incident_opened(scene: Scene) -> Json:
    event = _work_item(
        issues.opened(scene),
        type="Incident",
        id=INCIDENT_ID,
        iid=INCIDENT_IID,
        title="Both tanks overflow",
        description="The valve of the east tank does not close any more.",
        url=parts.url(scene, f"/-/issues/incident/{INCIDENT_IID}"),
    )
    event["object_attributes"].update(severity="critical", escalation_status="triggered")
    return event


def _epic_opened(scene: Scene) -> Json:
    event = _work_item(
        issues.opened(scene),
        type="Epic",
        id=EPIC_ID,
        iid=EPIC_IID,
        title="No more dry beds",
        description="All that keeps the beds wet through August.",
        url=f"{scene.base_url}/groups/{scene.project.namespace_path}/-/epics/{EPIC_IID}",
    )
    event["object_attributes"]["project_id"] = None
    return {**event, "project": None, "repository": None}


def _confidential_issue_closed(scene: Scene) -> Json:
    return issues.closed(_confidential(scene))


def _confidential_issue_updated(scene: Scene) -> Json:
    return issues.updated(_confidential(scene))


def _confidential(scene: Scene) -> Scene:
    """The same, but that the issue is for members only."""
    return replace(scene, issue=replace(scene.issue, confidential=True))


def _task(scene: Scene, event: Json) -> Json:
    return _work_item(
        event,
        type="Task",
        id=TASK_ID,
        iid=TASK_IID,
        title="Measure the float of the east tank",
        description="With a ruler, from the brim.",
        url=parts.url(scene, f"/-/work_items/{TASK_IID}"),
    )


def _work_item(event: Json, **attributes: object) -> Json:
    """An issue's event as that of a work item with these attributes instead."""
    event["object_kind"] = "work_item"
    event["event_type"] = event["event_type"].replace("issue", "work_item")
    event["object_attributes"].update(attributes, labels=[])
    event["labels"] = []
    for name, change in event["changes"].items():
        if name in attributes:
            change["current"] = attributes[name]
    event["changes"].pop("project_id", None)
    return event


WORK_ITEMS = [
    sample("task-open", "A task is opened: object_kind is work_item, not issue.", _task_opened),
    sample("task-close", "A task is closed.", _task_closed),
    sample(
        "incident-open",
        "An incident is opened, with its severity and escalation_status.",
        _incident_opened,
    ),
    sample(
        "epic-open",
        "An epic is opened: it belongs to the group, so project and repository are null.",
        _epic_opened,
    ),
]
CONFIDENTIAL = [
    sample(
        "confidential-issue-update",
        "The maintainer edits a confidential issue's title.",
        _confidential_issue_updated,
    ),
    sample(
        "confidential-issue-close",
        "The maintainer closes a confidential issue.",
        _confidential_issue_closed,
    ),
    sample(
        "confidential-task-open",
        "A task is opened for members only: event_type is confidential_work_item.",
        _confidential_task_opened,
    ),
]
