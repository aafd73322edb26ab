"""Something that happened in this GitLab, as far as hooks care: what kind, where, and what to tell.

Pure values; `gitlab_api` and `send` make them, `hooks` delivers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One event before any hook is chosen.

    `trigger` is the hook's switch without `_events` (`issues`, `confidential_issues`, `note`,
    `merge_requests`, `push`, `tag_push`, `pipeline`, `job`, `emoji`, …); `body` the JSON object to send.
    `project_id` and `group_id` say whose hooks it concerns (a project's event also meets the hooks of
    the groups that it is in); with neither it is for system hooks alone. `ref` is the branch of a push,
    for branch filters.
    """

    trigger: str
    body: dict[str, Any]
    project_id: int | None = None
    group_id: int | None = None
    ref: str | None = None
