"""Signing in and out."""

from __future__ import annotations

import asyncio
import hmac
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response

from hookyard.console.access import Viewer
from hookyard.console.api.reading import Given
from hookyard.console.identities import Identity
from hookyard.console.pages.rendering import render, see
from hookyard.console.services import Services
from hookyard.console.sessions import by_link
from hookyard.telemetry import logs

router = APIRouter()
log = logs.get_logger("console")

_BY_LINK: Final = "up"
_WRONG: Final = "Name or password is wrong."


@router.get("/sign-in")
async def sign_in_page(
    request: Request,
    given: Given,
    next: Annotated[str, Query(max_length=2000)] = "/",  # noqa: A002 - the usual name in an address
    link: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Show the form, or sign in with the link that ``hookyard up`` printed."""
    if link is None:
        return render(request, "sign_in.html", next=next, fault=None)
    expected = given.settings.console_link
    is_ours = expected is not None and hmac.compare_digest(
        expected.get_secret_value().encode(), link.encode(errors="replace")
    )
    if is_ours and await given.store.use_once(link):
        return await _begin(given, by_link(_BY_LINK))
    fault = (
        "This link was used before; each signs in once. Start `hookyard up` again for a new one."
        if is_ours
        else "This link is not one of this console's."
    )
    answer = render(request, "sign_in.html", next="/", fault=fault)
    answer.status_code = HTTPStatus.FORBIDDEN
    return answer


@router.post("/sign-in")
async def sign_in(
    request: Request,
    given: Given,
    name: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the same
) -> Response:
    """Sign in with name and password; after some wrong ones the door stays closed for a while."""
    address = request.client.host if request.client else "?"
    names = (f"name {name}", f"address {address}")
    closed_s = await given.store.closed_for_s(*names)
    if closed_s:
        text = f"Too many wrong passwords. Try again in {max(1, round(closed_s / 60))} min."
        answer = render(request, "sign_in.html", next=next, fault=text)
        answer.status_code = HTTPStatus.TOO_MANY_REQUESTS
        answer.headers["retry-after"] = str(closed_s)
        return answer
    identity = await asyncio.to_thread(given.directory.with_password, name, password)
    if identity is None:
        await given.store.has_failed(*names)
        log.warning("sign-in refused", address=address)
        answer = render(request, "sign_in.html", next=next, fault=_WRONG)
        answer.status_code = HTTPStatus.UNAUTHORIZED
        return answer
    await given.store.has_signed_in(*names)
    return await _begin(given, identity, next)


@router.post("/sign-out")
async def sign_out(request: Request, who: Viewer, given: Given) -> Response:
    """End the session."""
    if request.state.session is not None:
        await given.store.end_session(request.state.session.sid)
    await given.store.audit(who, "sign out", on="", result="")
    answer = see("/sign-in")
    given.sessions.end(answer)
    return answer


async def _begin(given: Services, identity: Identity, target: str = "/") -> Response:
    await given.store.audit(identity, "sign in", on="", result=identity.by)
    # a path of ours, and nothing that a browser takes for another site
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    answer = see(target if is_ours else "/")
    given.sessions.begin(answer, identity)
    return answer
