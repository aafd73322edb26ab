"""Posts a review checklist on a newly opened merge request, unless it is there already.

It asks GitLab before it acts: so that a second run does no harm, and drafts are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gidgetlab.routing import Router

if TYPE_CHECKING:
    from gidgetlab.abc import GitLabAPI
    from gidgetlab.sansio import Event

router = Router()

TITLE = "**Before this is merged**"
CHECKLIST = f"""{TITLE}

- [ ] tests cover the change
- [ ] the changelog says it in the reader's words
"""


@router.register("Merge Request Hook", action="open")
async def post_checklist(event: Event, gl: GitLabAPI) -> None:
    """Leave the checklist as a note."""
    request = f"/projects/{event.project_id}/merge_requests/{event.object_attributes['iid']}"
    if (await gl.getitem(request)).get("draft"):
        return
    async for note in gl.getiter(f"{request}/notes"):
        if note["body"].startswith(TITLE):
            return
    await gl.post(f"{request}/notes", data={"body": CHECKLIST})
