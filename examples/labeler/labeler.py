"""Label merge requests by the files that they change."""

from fnmatch import fnmatch

from gidgetlab.abc import GitLabAPI
from gidgetlab.routing import Router
from gidgetlab.sansio import Event

LABELS = {
    "documentation": ["docs/*", "*.md"],
    "python": ["*.py"],
    "ci": [".gitlab-ci.yml", "ci/*"],
}

router = Router()


@router.register("Merge Request Hook", action="open")
@router.register("Merge Request Hook", action="update")
async def label(event: Event, gl: GitLabAPI) -> None:
    """Add the labels whose patterns match a changed file."""
    merge_request = f"/projects/{event.project_id}/merge_requests/{event.object_attributes['iid']}"
    wanted: set[str] = set()
    async for change in gl.getiter(f"{merge_request}/diffs"):
        wanted |= labels_of(change["new_path"])
    present = {label["title"] for label in event.data.get("labels") or ()}
    if wanted - present:
        await gl.put(merge_request, data={"add_labels": ",".join(sorted(wanted - present))})


def labels_of(path: str) -> set[str]:
    """Return the labels for one changed file."""
    return {name for name, patterns in LABELS.items() if any(fnmatch(path, pattern) for pattern in patterns)}
