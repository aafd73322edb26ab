"""Render pages from templates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from gitlab_emulator.hooks.matching import event_header
from gitlab_emulator.hooks.redaction import without_userinfo
from gitlab_emulator.pages import formatting

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request

    from gitlab_emulator.state import State

TEMPLATES = Path(__file__).parent.parent / "templates"
REFRESH_S = {"2", "5", "10"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Pages:
    """Renders pages over one state; `clock` is the emulator's, `changed` is called after changes."""

    def __init__(
        self,
        state: State,
        *,
        clock: Callable[[], datetime],
        base_url_of: Callable[[Request], str],
        changed: Callable[[], None],
    ) -> None:
        self.clock = clock
        self.changed = changed
        self.base_url_of = base_url_of
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            when=formatting.when,
            json=formatting.as_text,
            newest=formatting.newest,
            busiest=formatting.busiest,
            kind=event_header,
            without_userinfo=without_userinfo,
        )
        self._templates.globals.update(
            state=state,
            link=formatting.link,
            sign=formatting.sign,
            is_bot=formatting.is_bot,
            place_of=formatting.place_of,
            condition=formatting.condition,
        )

    def page(self, template: str, request: Request, *, status: int = 200, **values: object) -> HTMLResponse:
        """The page; `?refresh=2` has the browser load it again."""
        refresh_s = request.query_params.get("refresh", "")
        text = self._templates.get_template(template).render(
            base_url=self.base_url_of(request),
            here=request.url.path,
            now=self.clock(),
            refresh_s=refresh_s if refresh_s in REFRESH_S else "",
            **values,
        )
        return HTMLResponse(text, status_code=status, headers=HEADERS)

    def missing(self, request: Request) -> HTMLResponse:
        """404, with a way back."""
        return self.page("missing.html", request, status=404)

    def refused(self, request: Request, why: str, status: int = 400) -> HTMLResponse:
        """A form that does nothing, and why."""
        return self.page("refused.html", request, status=status, why=why)


def go_to(path: str) -> RedirectResponse:
    """What answers a form that did its work."""
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})
