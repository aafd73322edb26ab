"""Thanks the reporter of a newly opened issue by a note on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gidgetlab.routing import Router

if TYPE_CHECKING:
    from gidgetlab.abc import GitLabAPI
    from gidgetlab.sansio import Event

router = Router()


@router.register("Issue Hook", action="open")
async def greet_reporter(event: Event, gl: GitLabAPI) -> None:
    """Leave a note that greets the reporter."""
    issue = event.object_attributes["iid"]
    name = event.data["user"]["username"]
    await gl.post(
        f"/projects/{event.project_id}/issues/{issue}/notes",
        data={"body": f"Thank you for the report, @{name}! Somebody will look at it soon."},
    )
