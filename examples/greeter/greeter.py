"""Greet the reporter of a new issue."""

from gidgetlab.abc import GitLabAPI
from gidgetlab.routing import Router
from gidgetlab.sansio import Event

router = Router()


@router.register("Issue Hook", action="open")
async def greet(event: Event, gl: GitLabAPI) -> None:
    """Post a note that greets the reporter."""
    issue = f"/projects/{event.project_id}/issues/{event.object_attributes['iid']}"
    await gl.post(
        f"{issue}/notes", data={"body": f"Thank you for the report, @{event.data['user']['username']}!"}
    )
