"""Match events with hooks, and name each event for its hook.

A project's event meets the project's hooks and those of all groups that it is in; a push, a tag or a
merge request system hooks as well. Names: https://docs.gitlab.com/user/project/integrations/webhook_events/
and https://docs.gitlab.com/administration/system_hooks/ . Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from gitlab_emulator.hooks.auto_disabling import is_executable
from gitlab_emulator.hooks.model import SYSTEM_SWITCHES

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.activity import Activity
    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.state import State

SYSTEM_HOOKS = "system_hooks"
SINGULAR = {
    "issues": "issue",
    "confidential_issues": "confidential_issue",
    "merge_requests": "merge_request",
    "releases": "release",
}
BRANCH = "refs/heads/"
NOT_IN_RE2 = re.compile(r"\(\?(?:[=!]|<[=!]|P=|\()|\\[1-9]")
NOT_IN_A_BRANCH = re.compile(r"[\s~^:?\[\\\x00-\x1f\x7f]|\.\.|//|@\{|^/|/$|\.$|\.lock$")


def log_name(trigger: str, hook: Hook) -> str:
    """What the event log calls the kind of an event: `push_hooks`, `issue_hooks`; `system_hooks`."""
    return SYSTEM_HOOKS if hook.is_system else f"{SINGULAR.get(trigger, trigger)}_hooks"


def event_header(name: str) -> str:
    """`X-Gitlab-Event` for a kind's name in the log: `Push Hook`, `System Hook`."""
    return name.removesuffix("s").replace("_", " ").title()


def matching_hooks(state: State, activity: Activity, now: datetime) -> list[Hook]:
    """The hooks to run: the project's, its groups', the instance's. Disabled ones are left out."""
    group_ids = _group_ids(state, activity)
    return [
        hook
        for hook in sorted(state.hooks.values(), key=_rank)
        if _concerns(hook, activity, group_ids) and is_executable(hook, now)
    ]


def is_branch_filter(text: str, strategy: str) -> bool:
    """Whether GitLab takes this filter: a branch's name with `*`s, or a regular expression of RE2's."""
    if strategy == "regex":
        return _pattern(text) is not None
    return strategy == "all_branches" or not NOT_IN_A_BRANCH.search(text.replace("*", "x"))


def _rank(hook: Hook) -> tuple[int, int]:
    return 0 if hook.project_id is not None else 1 if hook.group_id is not None else 2, hook.id


def _group_ids(state: State, activity: Activity) -> set[int]:
    """The group that it happened in, or that the project is in, and all above it."""
    project = state.projects.get(activity.project_id or 0)
    group = state.groups.get(activity.group_id or 0)
    found = {above.id for place in (project, group) if place for above in state.groups_above(place)}
    return found if activity.group_id is None else found | {activity.group_id}


def _concerns(hook: Hook, activity: Activity, group_ids: set[int]) -> bool:
    """Whether it happened where the hook is, and is of a kind that the hook wants."""
    if hook.is_system:
        if activity.trigger not in SYSTEM_SWITCHES:
            return activity.project_id is None and activity.group_id is None
        here = True
    elif hook.project_id is not None:
        here = hook.project_id == activity.project_id
    else:
        here = hook.group_id in group_ids
    return here and activity.trigger in hook.switches and _wants_branch(hook, activity)


def _wants_branch(hook: Hook, activity: Activity) -> bool:
    """Filters are for pushes only; an empty one lets everything through."""
    wanted, branch = hook.push_events_branch_filter, (activity.ref or "").removeprefix(BRANCH)
    if activity.trigger != "push" or not wanted or hook.branch_filter_strategy == "all_branches":
        return True
    if hook.branch_filter_strategy == "wildcard":
        return _fits(wanted, branch)
    found = _pattern(wanted)
    return found is not None and found.search(branch) is not None


def _fits(wildcard: str, branch: str) -> bool:
    """Whether a name with `*`s fits; in one go, however many there are."""
    first, *parts = wildcard.split("*")
    if not parts:
        return first == branch
    if not branch.startswith(first):
        return False
    at = len(first)
    for part in parts[:-1]:
        at = branch.find(part, at) + len(part)
        if at < len(part):
            return False
    return len(branch) - len(parts[-1]) >= at and branch.endswith(parts[-1])


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str] | None:
    """A filter compiled; None for what RE2 does not know or nobody can read."""
    if NOT_IN_RE2.search(text):
        return None
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return None
