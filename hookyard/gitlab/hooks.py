"""The webhooks of groups and projects, and GitLab's log of each.

https://docs.gitlab.com/api/project_webhooks/ , group_webhooks. Reading them takes Maintainer in a project and
Owner in a group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from gidgetlab.exceptions import BadRequest, HTTPException

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gidgetlab.abc import GitLabAPI

SWITCHES: Final = {
    "Push Hook": "push_events",
    "Tag Push Hook": "tag_push_events",
    "Issue Hook": "issues_events",
    "Confidential Issue Hook": "confidential_issues_events",
    "Note Hook": "note_events",
    "Confidential Note Hook": "confidential_note_events",
    "Merge Request Hook": "merge_requests_events",
    "Job Hook": "job_events",
    "Pipeline Hook": "pipeline_events",
    "Wiki Page Hook": "wiki_page_events",
    "Deployment Hook": "deployment_events",
    "Release Hook": "releases_events",
    "Milestone Hook": "milestone_events",
    "Feature Flag Hook": "feature_flag_events",
    "Emoji Hook": "emoji_events",
    "Resource Access Token Hook": "resource_access_token_events",
}
"""The switch of a webhook by the event that it sends."""

TRIGGERS: Final = (
    *("Wiki Page Hook", "Release Hook", "Milestone Hook", "Emoji Hook", "Tag Push Hook", "Job Hook"),
    *("Pipeline Hook", "Push Hook", "Note Hook", "Issue Hook", "Merge Request Hook"),
)
"""The events of a test, those first that fewest bots listen to."""

PAGE: Final = 20
"""The largest page of a log that GitLab gives."""


class Status(StrEnum):
    """Whether GitLab calls a webhook. On probation: after four failures or more, without a success since."""

    EXECUTABLE = "executable"
    PROBATION = "on probation"
    TEMPORARILY_DISABLED = "temporarily disabled"
    DISABLED = "disabled"


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook of a project or a group, as far as is looked at. ``raw``: all that GitLab says of it.

    ``place``: such as ``projects/7``; ``name``: its path. ``missing``, ``needless``: events that handlers
    want and it does not send, and the other way round.
    """

    place: str
    name: str
    id: int
    url: str
    status: Status
    disabled_until: str | None
    has_secret: bool | None
    verifies_tls: bool
    missing: tuple[str, ...]
    needless: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/{self.place}/hooks/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The webhooks that were found; ``unreadable`` tells of each place whose webhooks may not be read."""

    hooks: tuple[Hook, ...]
    unreadable: tuple[str, ...]


async def find(
    gl: GitLabAPI, watched: Iterable[str], *, url: str, wanted: Collection[str], now: datetime | None = None
) -> Found:
    """Return the webhooks of groups and projects that call *url*.

    :param watched: paths of groups and projects; of a group all its projects count.
    :param wanted: the events that there are handlers for.
    :raises gidgetlab.GitLabException: when GitLab does not answer.
    """
    at = now or datetime.now(UTC)
    places: dict[str, str] = {}
    unreadable: list[str] = []
    for path in watched:
        group = await _look(gl, f"/groups/{quote(path, safe='')}?with_projects=false")
        if group is not None:
            places[f"groups/{group['id']}"] = group["full_path"]
            listing = f"/groups/{group['id']}/projects"
            params: dict[str, str | bool] = {"include_subgroups": True, "archived": False, "per_page": "100"}
            async for project in gl.getiter(listing, params):
                places[f"projects/{project['id']}"] = project["path_with_namespace"]
            continue
        project = await _look(gl, f"/projects/{quote(path, safe='')}")
        if project is None:
            unreadable.append(f"{path}: there is no such group or project, or the token may not see it")
        else:
            places[f"projects/{project['id']}"] = project["path_with_namespace"]
    hooks: list[Hook] = []
    for place, name in places.items():
        try:
            hooks += [
                _hook(place, name, raw, wanted, at)
                async for raw in gl.getiter(f"/{place}/hooks")
                if is_ours(raw["url"], url)
            ]
        except BadRequest as exc:
            role = "Owner" if place.startswith("groups/") else "Maintainer"
            unreadable.append(f"{name}: its webhooks cannot be read ({exc}); the token needs the role {role}")
    return Found(hooks=tuple(hooks), unreadable=tuple(unreadable))


async def read_log(
    gl: GitLabAPI, hook: Hook, *, failures_only: bool = True, since_ms: int | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a hook's log of seven days, newest first; one that moved may be there twice."""
    params: dict[str, str | bool] = {"per_page": str(PAGE)}
    if failures_only:
        params["status"] = "client_failure,server_failure"
    rows: list[dict[str, Any]] = []
    async for row in gl.getiter(f"{hook.path}/events", params):
        rows.append(row)
        if since_ms is not None and _before(row, since_ms):
            break
    # what came while the pages were read is on the first one now
    rows += list(await gl.getitem(f"{hook.path}/events", dict(params)))
    return rows


async def enable(gl: GitLabAPI, hook: Hook, event: str) -> str:
    """Have GitLab send a test of *event*, which enables a disabled hook where it succeeds."""
    try:
        await gl.post(f"{hook.path}/test/{SWITCHES[event]}", data={})
    except HTTPException as exc:
        return f"the test failed: {exc}"
    return "enabled"


async def resend(gl: GitLabAPI, hook: Hook, row: int) -> str:
    """Have GitLab send a delivery of its log again; return the status that it got.

    :raises gidgetlab.HTTPException: when it does not, as for a hook that is disabled.
    """
    answer = await gl.post(f"{hook.path}/events/{row}/resend", data={})
    return str(answer.get("response_status"))


def trigger_for(wanted: Collection[str]) -> str | None:
    """Return an event whose test no handler runs on."""
    return next((event for event in TRIGGERS if event not in wanted), None)


def is_ours(url: str, ours: str) -> bool:
    """Return whether two addresses are the same but for a final slash."""
    return bool(ours) and _normal(url) == _normal(ours)


def _normal(url: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        return (
            parts.scheme.lower(),
            (parts.hostname or "").lower(),
            parts.port or default,
            parts.path.rstrip("/"),
        )
    except ValueError:
        return url, "", None, ""


async def _look(gl: GitLabAPI, path: str) -> Any:
    try:
        return await gl.getitem(path)
    except BadRequest:
        return None


def _hook(place: str, name: str, raw: Mapping[str, Any], wanted: Collection[str], now: datetime) -> Hook:
    present = [raw[key] for key in ("token_present", "signing_token_present") if key in raw]
    sent = {event for event, switch in SWITCHES.items() if raw.get(switch)}
    return Hook(
        place=place,
        name=name,
        id=int(raw["id"]),
        url=raw["url"],
        status=_status(raw, now),
        disabled_until=raw.get("disabled_until"),
        has_secret=any(present) if present else None,
        verifies_tls=bool(raw.get("enable_ssl_verification", True)),
        missing=tuple(sorted(set(wanted) & SWITCHES.keys() - sent)),
        needless=tuple(sorted(sent - set(wanted))) if wanted else (),
        raw=raw,
    )


def _status(raw: Mapping[str, Any], now: datetime) -> Status:
    alert = str(raw.get("alert_status", "executable")).replace("_", " ")
    if alert == Status.EXECUTABLE and raw.get("disabled_until"):
        until = datetime.fromisoformat(str(raw["disabled_until"]))
        return Status.PROBATION if until <= now else Status.TEMPORARILY_DISABLED
    return Status(alert) if alert in list(Status) else Status.EXECUTABLE


def _before(row: Mapping[str, Any], since_ms: int) -> bool:
    try:
        return datetime.fromisoformat(str(row["created_at"])).timestamp() * 1000 < since_ms
    except (KeyError, ValueError):
        return False
