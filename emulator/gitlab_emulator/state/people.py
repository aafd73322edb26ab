"""Accounts, with their rights and tokens.

Access levels and scopes: https://docs.gitlab.com/api/access_requests/#valid-access-levels and
https://docs.gitlab.com/user/profile/personal_access_tokens/#personal-access-token-scopes .
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

NO_ACCESS, GUEST, PLANNER, REPORTER, DEVELOPER, MAINTAINER, OWNER = 0, 10, 15, 20, 30, 40, 50
ACCESS_LEVELS = {GUEST, PLANNER, REPORTER, DEVELOPER, MAINTAINER, OWNER}
NAMESPACES_OF_USERS_FROM = 1_000_000


@dataclass(kw_only=True)
class User:
    """An account. `bot` marks accounts whose notes the pages set off; `admin` may do everything."""

    id: int
    username: str
    name: str
    email: str
    created_at: datetime
    bot: bool = False
    admin: bool = False

    @property
    def namespace_id(self) -> int:
        """The number of the namespace in which the account's own projects live; no group has it."""
        return NAMESPACES_OF_USERS_FROM + self.id


@dataclass(kw_only=True)
class Member:
    """An account's right in a project or group, and in everything below it."""

    user_id: int
    access_level: int
    created_at: datetime
    created_by_id: int | None = None
    expires_at: str | None = None


@dataclass(kw_only=True)
class Token:
    """An access token; its value is not kept, only a digest, which is its key in the state."""

    id: int
    name: str
    user_id: int
    created_at: datetime
    scopes: list[str] = field(default_factory=lambda: ["api"])
    expires_at: datetime | None = None
    revoked: bool = False
