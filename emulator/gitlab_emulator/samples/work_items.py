"""Issue Hook and Confidential Issue Hook of what is no plain issue, or is done to a confidential one.

Tasks, incidents and epics come under the issues' header with `object_kind` work_item and the type in
`object_attributes.type`: "Work item events" in
https://docs.gitlab.com/user/project/integrations/webhook_events/ .
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues, parts

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

TASK_ID, TASK_IID = 45, 5
INCIDENT_ID, INCIDENT_IID = 46, 6
EPIC_ID, EPIC_IID = 47, 3


def task_opened(scene: Scene) -> Json:
    """A task is opened: object_kind is work_item, not issue."""
    return _task(scene, issues.opened(scene))


def task_closed(scene: Scene) -> Json:
    """A task is closed."""
    return _task(scene, issues.closed(scene))


def confidential_task_opened(scene: Scene) -> Json:
    """A task is opened for members only: event_type is confidential_work_item."""
    return _task(scene, issues.opened(_confidential(scene)))


def incident_opened(scene: Scene) -> Json:
    """An incident is opened: severity and escalation_status tell how bad it is."""
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


def epic_opened(scene: Scene) -> Json:
    """An epic is opened: it belongs to the group, so project and repository are null."""
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


def issue_closed_confidentially(scene: Scene) -> Json:
    """The maintainer closes a confidential issue."""
    return issues.closed(_confidential(scene))


def issue_updated_confidentially(scene: Scene) -> Json:
    """The maintainer edits a confidential issue's title."""
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
