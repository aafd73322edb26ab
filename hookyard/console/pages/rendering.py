"""Templates: their environment, and what every page is given."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import jinja2
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from hookyard.console import filters
from hookyard.console.identities import Role
from hookyard.ledger import times

if TYPE_CHECKING:
    from fastapi import Request

_FOLDER: Final = Path(__file__).parent.parent / "templates"
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/deliveries", "Deliveries"),
    ("/failures", "Failures"),
    ("/handlers", "Handlers"),
    ("/secrets", "Secrets"),
    ("/orders", "Bulk orders"),
)


def render(request: Request, template: str, *, now_ms: int | None = None, **context: Any) -> HTMLResponse:
    """Return a page.

    :param now_ms: by which ages are told; this machine's time where it is not given.
    """
    identity = getattr(request.state, "identity", None)
    session = getattr(request.state, "session", None)
    clock_ms = int(datetime.now(UTC).timestamp() * 1000) if now_ms is None else now_ms
    text = _environment.get_template(template).render(
        me=identity,
        is_operator=identity is not None and identity.role >= Role.OPERATOR,
        is_admin=identity is not None and identity.role >= Role.ADMIN,
        csrf=session.csrf if session else "",
        navigation=NAVIGATION,
        path=request.url.path,
        now_ms=clock_ms,
        ago=lambda moment_ms: times.ago(moment_ms, now_ms=clock_ms),
        until=lambda moment_ms: times.until(moment_ms, now_ms=clock_ms),
        **context,
    )
    return HTMLResponse(text)


def see(path: str) -> RedirectResponse:
    """Return the answer to a form: go and see *path*."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _time(moment_ms: int, shown: str) -> Markup:
    """Return a time as an element that has the exact moment in it."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        times.iso(moment_ms), times.clock(moment_ms), shown
    )


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _length(length_ms: float | None) -> str:
    return "\N{EN DASH}" if length_ms is None else times.span(length_ms)


def _bytes(size: int | None) -> str:
    if size is None:
        return "\N{EN DASH}"
    amount, unit = float(size), "B"
    for larger in ("KB", "MB", "GB"):
        if amount < 1024:  # noqa: PLR2004 - bytes of a KB
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"  # noqa: PLR2004 - two digits do


def _query(**terms: str | None) -> str:
    """Return the address of the deliveries that these filters mean."""
    text = " ".join(filters.term(name, value) for name, value in terms.items() if value is not None)
    return f"/deliveries?{urlencode({'q': text})}"


def _style(word: str) -> str:
    """Return the CSS class of a state or an outcome."""
    return str(word).replace(" ", "-")


_environment: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    count=_count, span=_length, bytes=_bytes, style=_style, segment=lambda text: quote(text, safe="")
)
_environment.globals.update(time=_time, query=_query, term=filters.term, clock=times.clock, iso=times.iso)
