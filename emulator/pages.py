"""The pages for people: what the bot did here, seen without scripts.

Everything is escaped by the templates; notes are shown as the plain text that they are. Pages are
bounded: the newest `NOTES_SHOWN` notes of a thing, `CALLS_SHOWN` calls.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from emulator.gitlab_api.shapes import web_url
from emulator.state import Issue

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from emulator.calls import CallRecord
    from emulator.state import Noteable, Project, State

TEMPLATES = Path(__file__).parent / "templates"
CALLS_SHOWN = 50
NOTES_SHOWN = 5
NOTES_SHOWN_ON_OWN_PAGE = 200
NOTEABLES_SHOWN = 20
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
REFRESH_S = {"2", "5", "10"}


def page_routes(state: State, calls: CallRecord, *, base_url_of: Callable[[Request], str]) -> list[Route]:
    """`/` (everything), a page per project, issue and merge request at its GitLab address, the style."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(when=when, json=as_text, newest=newest, busiest=busiest)
    templates.globals.update(state=state, link=link, sign=sign, is_bot=is_bot)

    def page(template: str, request: Request, *, status: int = 200, **values: object) -> Response:
        refresh_s = request.query_params.get("refresh", "")
        text = templates.get_template(template).render(
            base_url=base_url_of(request),
            refresh_s=refresh_s if refresh_s in REFRESH_S else "",
            **values,
        )
        return HTMLResponse(text, status_code=status, headers=HEADERS)

    async def overview(request: Request) -> Response:
        return page(
            "overview.html",
            request,
            calls=list(islice(reversed(calls), CALLS_SHOWN)),
            calls_total=len(calls),
            bot_notes=count_bot_notes(state),
        )

    async def missing(request: Request) -> Response:
        return page("missing.html", request, status=404)

    async def project(request: Request) -> Response:
        found = state.project(request.path_params["project"])
        return await missing(request) if found is None else page("project.html", request, project=found)

    async def noteable(request: Request) -> Response:
        found = state.project(request.path_params["project"])
        item = None if found is None else find(found, request.path_params["kind"], request.path_params["iid"])
        if item is None:
            return await missing(request)
        return page("noteable.html", request, project=found, item=item, shown=NOTES_SHOWN_ON_OWN_PAGE)

    async def style(_request: Request) -> Response:
        return FileResponse(TEMPLATES / "style.css", media_type="text/css")

    return [
        Route("/", overview),
        Route("/-/style.css", style),
        Route("/{project:path}/-/{kind}/{iid}", noteable),
        Route("/{project:path}", project),
    ]


def find(project: Project, kind: str, iid: str) -> Noteable | None:
    """What `/-/issues/1` or `/-/merge_requests/1` names in a project."""
    if not (iid.isascii() and iid.isdigit() and len(iid) < 19):  # noqa: PLR2004 - 64 bits
        return None
    if kind == "issues":
        return project.issues.get(int(iid))
    if kind == "merge_requests":
        return project.merge_requests.get(int(iid))
    return None


def count_bot_notes(state: State) -> int:
    """How many notes bots have written."""
    return sum(
        is_bot(state, note.author_id)
        for project in state.projects.values()
        for item in project.noteables()
        for note in item.notes.values()
    )


def is_bot(state: State, user_id: int) -> bool:
    """Whether an account is a bot's."""
    return state.users[user_id].bot


def link(project: Project, item: Noteable | None = None) -> str:
    """The path of a page, good under whatever host the reader came by."""
    return web_url("", project, item)


def sign(item: Noteable) -> str:
    """How GitLab refers to a thing in its project: `#1`, `!1`."""
    return f"{'#' if isinstance(item, Issue) else '!'}{item.iid}"


def busiest(project: Project) -> list[Noteable]:
    """The project's `NOTEABLES_SHOWN` issues and merge requests that something happened to last."""
    latest = sorted(project.noteables(), key=lambda item: item.updated_at, reverse=True)
    return latest[:NOTEABLES_SHOWN]


def newest(notes: dict[int, object], shown: int = NOTES_SHOWN) -> list[object]:
    """The last notes, in the order in which they were written."""
    return list(islice(reversed(notes.values()), shown))[::-1]


def when(moment: datetime) -> str:
    """A moment for readers: `2 Nov 2026, 09:00:00 UTC`."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def as_text(value: object) -> str:
    """JSON that a person can read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
