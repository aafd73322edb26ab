"""Making, changing and removing hooks, by GitLab's rules.

Every change is checked as a whole before any of it counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitlab_emulator.hooks.model import GROUP_SWITCHES, PROJECT_SWITCHES, SYSTEM_SWITCHES, Hook
from gitlab_emulator.hooks.placeholders import fill_url
from gitlab_emulator.hooks.validation import HookError, validate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gitlab_emulator.state import State

MAX_HOOKS = {"project": 100, "group": 50, "system": 100}
SWITCHES = {"project": PROJECT_SWITCHES, "group": GROUP_SWITCHES, "system": SYSTEM_SWITCHES}
ON_BY_DEFAULT = {"project": ["push"], "group": ["push"], "system": ["repository_update"]}


def scope(hook: Hook) -> str:
    """What it is a hook of: `project`, `group` or `system`."""
    return "system" if hook.is_system else "group" if hook.project_id is None else "project"


def siblings(state: State, hook: Hook) -> list[Hook]:
    """All hooks of the same project or group, or of the instance, oldest first."""
    place = (hook.project_id, hook.group_id)
    return [one for one in state.hooks.values() if (one.project_id, one.group_id) == place]


def add_hook(
    state: State,
    *,
    url: str,
    now: datetime,
    project_id: int | None = None,
    group_id: int | None = None,
    switches: Iterable[str] | None = None,
    **attributes: Any,
) -> Hook:
    """A new hook of a project, of a group or, with neither, of the instance.

    `switches` names the events that it gets (`issues`, `note` …; None: what GitLab turns on by itself,
    `"all"` in it: everything); `attributes` are others of `Hook`, such as `token` and `signing_token`.
    Raises HookError for what GitLab refuses.
    """
    hook = Hook(id=0, url=url.strip(), created_at=now, project_id=project_id, group_id=group_id, **attributes)
    kind = scope(hook)
    wanted = ON_BY_DEFAULT[kind] if switches is None else list(switches)
    hook.switches = [name for name in SWITCHES[kind] if name in wanted or "all" in wanted]
    validate(hook)
    if len(siblings(state, hook)) >= MAX_HOOKS[kind]:
        raise HookError(None, f"Maximum number of {kind} hooks ({MAX_HOOKS[kind]}) exceeded")
    hook.id = state.next_id("hook")
    state.hooks[hook.id] = hook
    return hook


def change_hook(hook: Hook, **changes: Any) -> None:
    """Change some of its attributes; raises HookError, and then nothing has changed.

    Another address takes the secret token with it, unless a new one comes along, the custom headers,
    and those URL variables that are not new: a secret must not reach a new address.
    """
    changed = replace(hook, **changes)
    if changed.url != hook.url:
        if "token" not in changes:
            changed.token = None
        kept = changed.url_variables.items() & hook.url_variables.items()
        if kept:
            changed.url_variables = dict(changed.url_variables.items() - kept)
    validate(changed)
    if fill_url(changed.url, changed.url_variables) != fill_url(hook.url, hook.url_variables):
        changed.custom_headers = {}
    vars(hook).update(vars(changed))
