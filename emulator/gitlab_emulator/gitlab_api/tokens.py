"""Access tokens: the user of a call, and what the token allows.

https://docs.gitlab.com/api/rest/authentication/ ; the scopes:
https://docs.gitlab.com/user/profile/personal_access_tokens/#personal-access-token-scopes
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api.call import Refusal, forbidden, not_found, unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gitlab_emulator.state import State, Token, User

EXPIRED = "Token is expired. You can either do re-authorization or token refresh."
REVOKED = "Token was revoked. You have to re-authorize from the user."
INSUFFICIENT = "The request requires higher privileges than provided by the access token."


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who calls. Without a `token`, because any or the one that may do everything was given."""

    user: User
    token: Token | None


def identify(state: State, offered: str, *, master: str | None, now: datetime) -> Identity:
    """Whose token this is; Refusal 401 for one that is not taken.

    `master` is the token that may do everything, in the bot's name. Where there is neither that nor
    any registered token, every token is taken for it, and none as well.
    """
    bot = state.users[state.bot_id]
    if master is None and not state.tokens:
        return Identity(user=bot, token=None)
    if master is not None and hmac.compare_digest(digest(offered), digest(master)):
        return Identity(user=bot, token=None)
    token = state.tokens.get(digest(offered))
    if token is None:
        raise unauthorized()
    for ended, why in ((token.revoked, REVOKED), (token.expires_at and token.expires_at <= now, EXPIRED)):
        if ended:
            raise Refusal(401, {"error": "invalid_token", "error_description": why})
    return Identity(user=state.users[token.user_id], token=token)


def in_whose_name(state: State, identity: Identity, sudo: str | None) -> Identity:
    """The same, or the account that `sudo` names: https://docs.gitlab.com/api/rest/authentication/#sudo ."""
    if not sudo:
        return identity
    token = identity.token
    if token is not None and not identity.user.admin:
        raise forbidden("Must be admin to use sudo")
    if token is not None and "sudo" not in token.scopes:
        raise insufficient_scope("sudo")
    user = state.user(sudo)
    if user is None:
        raise not_found(f"User with ID or username '{sudo}'")
    return Identity(user=user, token=token)


def check_scope(token: Token | None, method: str, path: str) -> None:
    """403 unless one of the token's scopes suffices for the call."""
    enough = ["api"]
    if method in ("GET", "HEAD"):
        enough.append("read_api")
        if path.startswith("/api/v4/user"):
            enough.append("read_user")
        if "/repository/" in path:
            enough.append("read_repository")
        if path.startswith("/api/v4/personal_access_tokens/self"):
            return
    if token is not None and not set(enough) & set(token.scopes):
        raise insufficient_scope(" ".join(enough))


def insufficient_scope(needed: str) -> Refusal:
    """403 that names the scopes of which one is needed."""
    return Refusal(403, {"error": "insufficient_scope", "error_description": INSUFFICIENT, "scope": needed})


def offered_token(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The token in any of the places where GitLab looks for it; empty when there is none."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return (
        headers.get("private-token")
        or (bearer.strip() if scheme.lower() == "bearer" else "")
        or query.get("private_token")
        or query.get("access_token")
        or ""
    )


def digest(value: str) -> str:
    """What is kept of a token's value."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
