"""Who may use a route: a role for each, and the token against forged forms on all that change something."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Request

from hookyard.console.guard import SAFE
from hookyard.console.identities import Identity, Role

if TYPE_CHECKING:
    from hookyard.console.services import Services

HEADER: Final = "x-csrf-token"
FIELD: Final = "csrf"


class Refused(Exception):
    """Somebody may not do what they ask for.

    :param status: 401 who are you, 403 not you.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def services(request: Request) -> Services:
    """Return what the console works with."""
    found: Services = request.app.state.services
    return found


class Needs:
    """A dependency of a route: whoever asks has at least *role*, and a form is from their session."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Identity:
        """Return who asks.

        :raises Refused: when they may not.
        """
        identity: Identity | None = request.state.identity
        session = request.state.session
        if identity is None:
            raise Refused(401, "Sign in first, or send a token: Authorization: Bearer …")
        if session is not None and await services(request).store.has_ended(session.sid):
            raise Refused(401, "This session has ended. Sign in again.")
        if identity.role < self.role:
            raise Refused(
                403, f"This takes the role {self.role.word}; {identity.name} is {identity.role.word}."
            )
        if session is not None and request.method not in SAFE:
            given = request.headers.get(HEADER)
            if given is None:
                given = str((await request.form()).get(FIELD, ""))
            if not hmac.compare_digest(given.encode(errors="replace"), session.csrf.encode()):
                raise Refused(403, "This form is not from this session. Load the page again, and repeat.")
        return identity


Viewer = Annotated[Identity, Depends(Needs(Role.VIEWER))]
Operator = Annotated[Identity, Depends(Needs(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(Needs(Role.ADMIN))]
