"""Users, and what a client asks about itself and the instance.

https://docs.gitlab.com/api/users/ , personal_access_tokens, version.
"""

from __future__ import annotations

from functools import partial

from emulator.gitlab_api import params, shapes
from emulator.gitlab_api.call import Answer, Call, bad_parameter, not_found
from emulator.gitlab_api.paging import paged

VERSION = "19.1.0"


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


def own_token(call: Call) -> Answer:
    """GET /personal_access_tokens/self: whose token this is and what it may do."""
    return Answer(
        body={
            "id": 1,
            "name": "emulator",
            "revoked": False,
            "created_at": shapes.timestamp(call.user.created_at),
            "description": None,
            "scopes": ["api"],
            "user_id": call.user.id,
            "last_used_at": shapes.timestamp(call.now),
            "active": True,
            "expires_at": None,
        }
    )


def version(_call: Call) -> Answer:
    """GET /version."""
    return Answer(body={"version": VERSION, "revision": "emulator"})
