"""A webhook, and one row of its event log: values only, so that the state file can hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

PROJECT_SWITCHES = (
    *("push", "tag_push", "issues", "confidential_issues", "note", "confidential_note"),
    *("merge_requests", "job", "pipeline", "wiki_page", "deployment", "feature_flag", "releases"),
    *("milestone", "emoji", "resource_access_token", "resource_deploy_token", "vulnerability"),
)
GROUP_SWITCHES = (*PROJECT_SWITCHES, "subgroup", "member", "project")
SYSTEM_SWITCHES = ("push", "tag_push", "merge_requests", "repository_update")


@dataclass(kw_only=True)
class Hook:
    """A webhook of a project, of a group or, with neither, of the whole instance (a system hook).

    `switches` holds the kinds of events that it wants: a name of the tables above, which is the API's
    attribute without `_events`. `url` may hold `{name}`s, whose values are in `url_variables`.
    `branch_filter_strategy` is wildcard, regex or all_branches. `recent_failures` counts those since
    the last success; see `disabling`.
    """

    id: int
    url: str
    created_at: datetime
    project_id: int | None = None
    group_id: int | None = None
    name: str | None = None
    description: str | None = None
    switches: list[str] = field(default_factory=lambda: ["push"])
    token: str | None = field(default=None, repr=False)
    signing_token: str | None = field(default=None, repr=False)
    push_events_branch_filter: str | None = None
    branch_filter_strategy: str = "wildcard"
    enable_ssl_verification: bool = True
    custom_webhook_template: str | None = None
    custom_headers: dict[str, str] = field(default_factory=dict, repr=False)
    url_variables: dict[str, str] = field(default_factory=dict, repr=False)
    recent_failures: int = 0
    disabled_until: datetime | None = None

    @property
    def is_system(self) -> bool:
        """Whether it is a system hook."""
        return self.project_id is None and self.group_id is None


@dataclass(kw_only=True)
class HookEvent:
    """One delivery as the event log keeps it, with its secrets blacked out.

    `trigger` is GitLab's name of the kind (`push_hooks`; `system_hooks` for any of a system hook).
    `response_status` is text: a number, or `internal error` when there was no answer, and then
    `internal_error_message` says why. `url_digest` tells whether the hook's URL is still the one that
    it went to. `request_bytes` is the size of the body that was sent.
    """

    id: int
    hook_id: int
    created_at: datetime
    url: str
    url_digest: str
    trigger: str
    request_headers: dict[str, str]
    request_data: Any
    request_bytes: int
    response_headers: dict[str, str]
    response_body: str
    response_status: str
    execution_duration: float
    internal_error_message: str | None = None

    @property
    def delivery_id(self) -> str | None:
        """The id that stays the same when it is sent again; GitLab before 17.4 sends none."""
        return self.request_headers.get("Idempotency-Key")

    @property
    def ok(self) -> bool:
        """Whether the receiver took it."""
        return self.response_status.startswith("2")
