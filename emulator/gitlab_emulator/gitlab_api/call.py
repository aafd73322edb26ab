"""The input and the output of an API function.

Status codes and error bodies: https://docs.gitlab.com/api/rest/troubleshooting/ ; the wording of each
is GitLab's own, since clients show it and some match on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gitlab_emulator.activity import Activity
from gitlab_emulator.samples.scene import Act
from gitlab_emulator.state import OWNER

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.state import Group, Place, Project, State, Token, User

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One authorised REST call.

    `token` is the registered token that it came with; None stands for one that may do everything.
    `ids` are the decoded parts of the path that the route names, `params` query and body together.
    `base_url` is where people reach this GitLab, without a slash at the end; `url` is that plus the
    request's path, `query` the pairs after it (both for Link headers). `event_uuid` is the
    `X-Gitlab-Event-UUID` that the request carried.
    """

    state: State
    user: User
    token: Token | None
    ids: Mapping[str, str]
    params: Mapping[str, Any]
    base_url: str
    url: str
    query: tuple[tuple[str, str], ...]
    now: datetime
    hooks: Hooks
    event_uuid: str | None

    @property
    def is_admin(self) -> bool:
        """Whether it may do what only administrators may."""
        return self.token is None or self.user.admin

    def level(self, place: Place) -> int:
        """The access level that it has in a project or group."""
        return OWNER if self.token is None else self.state.access_level(self.user, place)

    def sees(self, place: Place) -> bool:
        """Whether the project or group exists as far as this call is concerned."""
        return place.visibility != "private" or self.level(place) > 0

    def require(self, place: Place, level: int) -> None:
        """403 for who has less than this access level there."""
        if self.level(place) < level:
            raise forbidden()

    def act(self, project: Project) -> Act:
        """Its account doing something in the project: what bodies of events are made from."""
        return Act(state=self.state, project=project, base_url=self.base_url, now=self.now, user=self.user)

    def execute_hooks(
        self,
        trigger: str,
        body: Json,
        *,
        project: Project | None = None,
        group: Group | None = None,
        ref: str | None = None,
    ) -> None:
        """Tell the hooks of the project or group; with neither, the system hooks."""
        activity = Activity(
            trigger=trigger,
            body=body,
            project_id=None if project is None else project.id,
            group_id=None if group is None else group.id,
            ref=ref,
        )
        self.hooks.execute(activity, event_uuid=self.event_uuid, base_url=self.base_url)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, body (JSON, or else `text`; neither: no body) and headers of an answer."""

    status: int = 200
    body: Any = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Ends a call with an error answer: `status`, a JSON body, and headers if need be."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


Function = Callable[[Call], Answer | Awaitable[Answer]]


def not_found(what: str | None = None) -> Refusal:
    """404; GitLab names the kind of thing for some (`404 Project Not Found`) and not for others."""
    return Refusal(404, {"message": f"404 {what} Not Found" if what else "404 Not found"})


def unauthorized() -> Refusal:
    """401, which GitLab also answers to some who are known but may not do that."""
    return Refusal(401, {"message": "401 Unauthorized"})


def forbidden(why: str | None = None) -> Refusal:
    """403 for who may not do that."""
    return Refusal(403, {"message": f"403 Forbidden - {why}" if why else "403 Forbidden"})


def bad_parameter(text: str) -> Refusal:
    """400 for a parameter that is missing or of the wrong shape."""
    return Refusal(400, {"error": text})


def bad_value(name: str, text: str) -> Refusal:
    """400 for a value that the object itself refuses."""
    return Refusal(400, {"message": {name: [text]}})
