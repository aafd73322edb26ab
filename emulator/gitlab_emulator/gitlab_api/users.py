"""Users, and what a client asks about itself and the instance.

https://docs.gitlab.com/api/users/ , personal_access_tokens, version.
"""

from __future__ import annotations

import re
from functools import partial

from gitlab_emulator.gitlab_api import params, shapes
from gitlab_emulator.gitlab_api.call import (
    Answer,
    Call,
    Refusal,
    bad_parameter,
    bad_value,
    forbidden,
    not_found,
)
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import User

USERNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_-])?")


def current(call: Call) -> Answer:
    """GET /user: the account that the token belongs to."""
    return Answer(body=shapes.whole_user(call.user, call.base_url))


def list_all(call: Call) -> Answer:
    """GET /users, newest first; `username` (whole) and `search` narrow."""
    username = params.text(call.params, "username")
    search = (params.text(call.params, "search") or "").lower()
    found = [
        user
        for user in reversed(call.state.users.values())
        if (username is None or user.username == username.lower())
        and search in f"{user.username}\n{user.name}".lower()
    ]
    return paged(call, found, partial(shapes.user, base_url=call.base_url))


def get(call: Call) -> Answer:
    """GET /users/:id."""
    if not params.WHOLE_NUMBER.fullmatch(call.ids["id"]):
        raise bad_parameter("id is invalid")
    user = call.state.users.get(int(call.ids["id"]))
    if user is None:
        raise not_found("User")
    return Answer(body=shapes.whole_user(user, call.base_url))


def create(call: Call) -> Answer:
    """POST /users: 201, for administrators. Needs `email`, `name`, `username`."""
    if not call.is_admin:
        raise forbidden()
    params.require(call.params, "email", "name", "username")
    email, name, username = (params.line(call.params, one) for one in ("email", "name", "username"))
    if not USERNAME.fullmatch(username):
        text = "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or end in '.'."
        raise bad_value("username", text)
    for one in call.state.users.values():
        for what, taken in (("Username", one.username == username.lower()), ("Email", one.email == email)):
            if taken:
                raise Refusal(409, {"message": f"{what} has already been taken"})
    user = User(
        id=call.state.next_id("user"),
        username=username.lower(),
        name=name,
        email=email,
        created_at=call.now,
        admin=params.flag(call.params, "admin") or False,
    )
    call.state.users[user.id] = user
    return Answer(status=201, body=shapes.whole_user(user, call.base_url))


def own_token(call: Call) -> Answer:
    """GET /personal_access_tokens/self: whose token this is and what it may do."""
    token = call.token
    return Answer(
        body={
            "id": 1 if token is None else token.id,
            "name": "emulator" if token is None else token.name,
            "revoked": False,
            "created_at": shapes.timestamp(call.user.created_at if token is None else token.created_at),
            "description": None,
            "scopes": ["api"] if token is None else token.scopes,
            "user_id": call.user.id,
            "last_used_at": shapes.timestamp(call.now),
            "active": True,
            "expires_at": f"{token.expires_at:%Y-%m-%d}" if token is not None and token.expires_at else None,
        }
    )


def version(call: Call) -> Answer:
    """GET /version: that of the GitLab whose webhooks are sent."""
    return Answer(body={"version": call.hooks.version.name, "revision": "emulator"})
