"""Sessions: what the cookie of somebody who has signed in says, and the token against forged forms.

A cookie is signed, HttpOnly and SameSite, and names a person; the role is looked up at each request. A
session that was ended is remembered in Redis until it would have run out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from hookyard.console.identities import Identity, Role

if TYPE_CHECKING:
    from starlette.responses import Response

    from hookyard.console.identities import Directory

COOKIE: Final = "hookyard_session"
MAX_AGE_S: Final = 12 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A session. ``csrf`` must come with each of its forms."""

    sid: str
    identity: Identity
    csrf: str


class Sessions:
    """Makes and reads cookies.

    :param secret: signs them; consoles that share one know each other's sessions.
    :param secure: whether the cookie goes over HTTPS alone.
    """

    def __init__(self, directory: Directory, secret: str, *, secure: bool) -> None:
        self._directory = directory
        self._secret = secret
        self._secure = secure
        self._signer = URLSafeTimedSerializer(secret, salt="hookyard session")

    def begin(self, response: Response, identity: Identity) -> None:
        """Give *response* the cookie of a new session."""
        told: dict[str, Any] = {"sid": secrets.token_urlsafe(18), "name": identity.name, "by": identity.by}
        response.set_cookie(
            COOKIE,
            self._signer.dumps(told),
            max_age=MAX_AGE_S,
            httponly=True,
            secure=self._secure,
            samesite="lax",
            path="/",
        )

    def end(self, response: Response) -> None:
        """Have *response* remove the cookie."""
        response.delete_cookie(COOKIE, path="/", httponly=True, secure=self._secure, samesite="lax")

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; ``None`` for one that is forged, too old or of nobody any more."""
        if not cookie:
            return None
        try:
            told = self._signer.loads(cookie, max_age=MAX_AGE_S)
            sid, name, by = str(told["sid"]), str(told["name"]), told["by"]
        except (BadSignature, KeyError, TypeError):
            return None
        identity = by_link(name) if by == "link" else self._directory.named(name)
        return None if identity is None else Session(sid=sid, identity=identity, csrf=self._csrf(sid))

    def _csrf(self, sid: str) -> str:
        return hmac.new(self._secret.encode(), f"csrf {sid}".encode(), hashlib.sha256).hexdigest()


def by_link(name: str) -> Identity:
    """Return who signs in with the link that ``hookyard up`` prints: whoever started it."""
    return Identity(name=name, role=Role.ADMIN, reads_bodies=True, by="link")
