"""Mention the owners of failed jobs in one note on the merge request."""

from gidgetlab.abc import GitLabAPI
from gidgetlab.routing import Router
from gidgetlab.sansio import Event

from hookyard import GiveUp, RetryAfter, current_delivery, policy

OWNERS = {"unit": "basil", "lint": "fern"}
MARKER = "<!-- failed jobs -->"

router = Router()


@router.register("Pipeline Hook", status="failed")
@policy(timeout=30, max_attempts=5)
async def report(event: Event, gl: GitLabAPI) -> None:
    """Post the note, or edit the one that is there."""
    if not event.data.get("merge_request"):
        return  # a pipeline without a merge request has no place for a note
    project = f"/projects/{event.project_id}"
    pipeline = f"{project}/pipelines/{event.object_attributes['id']}"
    failed = [job["name"] async for job in gl.getiter(f"{pipeline}/jobs") if job["status"] == "failed"]
    if not failed:
        raise RetryAfter(5, "GitLab does not list a failed job yet")
    if orphans := [name for name in failed if name not in OWNERS]:
        raise GiveUp(f"no owner for {', '.join(orphans)}: complete OWNERS, then replay")
    body = "\n".join([MARKER, *(f"- `{name}` failed, @{OWNERS[name]}" for name in sorted(failed))])
    await write_once(gl, f"{project}/merge_requests/{event.data['merge_request']['iid']}/notes", body)


async def write_once(gl: GitLabAPI, notes: str, body: str) -> None:
    """Make *body* the text of the note with the marker; post that note if there is none."""
    async for note in gl.getiter(notes):
        if note["body"].startswith(MARKER):
            if note["body"] != body:
                await gl.put(f"{notes}/{note['id']}", data={"body": body})
            return
    await gl.post(notes, data={"body": body})
    current_delivery().log.info("owners mentioned")
