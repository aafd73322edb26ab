"""Pages to look around on: everything, a group, a project, an issue or a merge request."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from starlette.responses import FileResponse
from starlette.routing import Route

from gitlab_emulator.pages.formatting import count_bot_notes
from gitlab_emulator.pages.rendering import TEMPLATES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gitlab_emulator.calls import CallRecord
    from gitlab_emulator.pages.rendering import Pages
    from gitlab_emulator.state import Noteable, Project, State

CALLS_SHOWN = 50
NOTES_SHOWN_ON_OWN_PAGE = 200
PROJECTS_SHOWN = 50
MAX_DIGITS = 18


def browsing_routes(state: State, calls: CallRecord, pages: Pages) -> list[Route]:
    """`/`, groups, projects, issues and merge requests at their GitLab addresses; these come last."""

    async def overview(request: Request) -> Response:
        return pages.page(
            "overview.html",
            request,
            calls=list(islice(reversed(calls), CALLS_SHOWN)),
            calls_total=len(calls),
            bot_notes=count_bot_notes(state),
            projects=list(islice(reversed(state.projects.values()), PROJECTS_SHOWN)),
        )

    async def group(request: Request) -> Response:
        found = state.group(request.path_params["group"])
        if found is None:
            return pages.missing(request)
        projects = [project for project in state.projects.values() if found in state.groups_above(project)]
        subgroups = [one for one in state.groups.values() if one.parent_id == found.id]
        hooks = [hook for hook in state.hooks.values() if hook.group_id == found.id]
        return pages.page(
            "group.html",
            request,
            group=found,
            projects=projects[:PROJECTS_SHOWN],
            subgroups=subgroups,
            hooks=hooks,
        )

    async def project(request: Request) -> Response:
        found = state.project(request.path_params["project"])
        if found is None:
            return pages.missing(request)
        hooks = [hook for hook in state.hooks.values() if hook.project_id == found.id]
        return pages.page("project.html", request, project=found, hooks=hooks)

    async def noteable(request: Request) -> Response:
        found = state.project(request.path_params["project"])
        item = None if found is None else find(found, request.path_params["kind"], request.path_params["iid"])
        if item is None:
            return pages.missing(request)
        return pages.page("noteable.html", request, project=found, item=item, shown=NOTES_SHOWN_ON_OWN_PAGE)

    async def style(_request: Request) -> Response:
        return FileResponse(TEMPLATES / "style.css", media_type="text/css")

    return [
        Route("/", overview),
        Route("/-/style.css", style),
        Route("/groups/{group:path}", group),
        Route("/{project:path}/-/{kind}/{iid}", noteable),
        Route("/{project:path}", project),
    ]


def find(project: Project, kind: str, iid: str) -> Noteable | None:
    """What `/-/issues/1` or `/-/merge_requests/1` names in a project."""
    number = whole_number(iid)
    if kind == "issues":
        return project.issues.get(number)
    return project.merge_requests.get(number) if kind == "merge_requests" else None


def whole_number(text: str) -> int:
    """A number in an address; 0, which is nobody's, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0
