"""Access tokens on order: read from JSON or from a command's option, entered into the state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from gitlab_emulator.gitlab_api.tokens import digest
from gitlab_emulator.state import ACCESS_LEVELS, Member, Token, User

if TYPE_CHECKING:
    from gitlab_emulator.state import Place, State

SCOPES = {
    *("api", "read_api", "read_user", "read_repository", "write_repository", "sudo", "admin_mode"),
    *("create_runner", "manage_runner", "k8s_proxy", "read_registry", "write_registry", "self_rotate"),
}
FIELDS = {"token", "user", "name", "scopes", "expires_at", "revoked", "project", "group", "access_level"}
MAX_TOKENS = 10_000
MAX_CHARS = 255


class TokenError(ValueError):
    """The order makes no sense; the text says which field and what it may be."""


@dataclass(frozen=True, kw_only=True)
class TokenSpec:
    """A token to register.

    `user` is a username; an unknown one becomes an account. `access_level` is what that account then
    has in `project` or `group` (number or full path): all it has there, whatever it had before.
    """

    token: str
    user: str
    name: str = "emulator"
    scopes: tuple[str, ...] = ("api",)
    expires_at: datetime | None = None
    revoked: bool = False
    project: str | None = None
    group: str | None = None
    access_level: int | None = None


def read_option(text: str) -> TokenSpec:
    """`TOKEN=USER` or `TOKEN=USER:SCOPE,SCOPE`, as the command line takes it."""
    token, equals, rest = text.rpartition("=")
    user, _, scopes = rest.partition(":")
    if not equals:
        raise TokenError("a token is ordered as TOKEN=USER or TOKEN=USER:SCOPE,SCOPE")
    return read_spec({"token": token, "user": user, **({"scopes": scopes.split(",")} if scopes else {})})


def read_spec(data: object) -> TokenSpec:
    """The order that a JSON body gives; raises TokenError that names the field at fault."""
    if not isinstance(data, dict):
        raise TokenError('a token is a JSON object such as {"token": "glpat-1", "user": "basil"}')
    if unknown := sorted(str(name) for name in data.keys() - FIELDS):
        raise TokenError(f"unknown field {unknown[0]!r}; there are {', '.join(sorted(FIELDS))}")
    given: dict[str, Any] = dict(data)
    for name in ("token", "user", "name", "project", "group"):
        if name in given:
            given[name] = _text(given[name], name)
    if missing := [name for name in ("token", "user") if name not in given]:
        raise TokenError(f"{missing[0]} is missing")
    scopes, level = given.get("scopes", ["api"]), given.get("access_level")
    if not isinstance(scopes, list) or not scopes or not all(one in SCOPES for one in map(str, scopes)):
        raise TokenError(f"scopes must be a list of {', '.join(sorted(SCOPES))}")
    if not isinstance(given.get("revoked", False), bool):
        raise TokenError("revoked must be true or false")
    _check_level(level, somewhere="project" in given or "group" in given)
    more = {"user": given["user"].lower(), "scopes": tuple(scopes)}
    return TokenSpec(**{**given, **more, "expires_at": _expiry(given.get("expires_at"))})


def _check_level(level: object, *, somewhere: bool) -> None:
    if level is not None and (isinstance(level, bool) or level not in ACCESS_LEVELS):
        raise TokenError(f"access_level must be one of {', '.join(map(str, sorted(ACCESS_LEVELS)))}")
    if somewhere != (level is not None):
        raise TokenError("access_level goes with project or group, and they with it")


def register(state: State, order: TokenSpec, now: datetime) -> Token:
    """Enter the token, and what account and membership it needs; TokenError when that cannot be."""
    places = [
        found
        for found in (
            _place(state.project, "project", order.project),
            _place(state.group, "group", order.group),
        )
        if found is not None
    ]
    if len(state.tokens) >= MAX_TOKENS:
        raise TokenError(f"{MAX_TOKENS} tokens are registered already; DELETE /-/tokens clears them")
    user = next((one for one in state.users.values() if one.username == order.user), None)
    if user is None:
        user = User(
            id=state.next_id("user"),
            username=order.user,
            name=order.user.replace("-", " ").title(),
            email=f"{order.user}@greenhouse.example",
            created_at=now,
        )
        state.users[user.id] = user
    for place in places:
        place.members[user.id] = Member(user_id=user.id, access_level=order.access_level or 0, created_at=now)
    token = Token(
        id=state.next_id("token"),
        name=order.name,
        user_id=user.id,
        created_at=now,
        scopes=list(order.scopes),
        expires_at=order.expires_at,
        revoked=order.revoked,
    )
    state.tokens[digest(order.token)] = token
    return token


def as_json(state: State, token: Token) -> dict[str, object]:
    """A registered token without its value."""
    return {
        "id": token.id,
        "name": token.name,
        "user": state.users[token.user_id].username,
        "scopes": token.scopes,
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        "revoked": token.revoked,
    }


def _place(find: Any, name: str, reference: str | None) -> Place | None:
    if reference is None:
        return None
    place: Place | None = find(reference)
    if place is None:
        raise TokenError(f"there is no {name} {reference!r}")
    return place


def _text(value: object, name: str) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARS:
        raise TokenError(f"{name} must be text of 1 to {MAX_CHARS} characters")
    return text.strip()


def _expiry(value: object) -> datetime | None:
    """The beginning of that day, when GitLab's tokens end."""
    if value is None:
        return None
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None:
        raise TokenError("expires_at must be a date such as 2026-12-31")
    return datetime.combine(day, time(), tzinfo=UTC)
