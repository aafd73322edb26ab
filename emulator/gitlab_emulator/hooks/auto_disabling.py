"""Automatic disabling of hooks that fail.

Three failures in a row cost nothing. The fourth disables the hook for a minute, each further one for
twice as long as the one before, at most a day; the fortieth disables it for good. One success makes it
all good again. System hooks are never disabled. "Auto-disabled webhooks" in
https://docs.gitlab.com/user/project/integrations/webhooks/ .
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.hooks.model import Hook

FREE_FAILURES = 3
FAILURES_BEFORE_THE_LAST = 39
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(days=1)


def alert_status(hook: Hook, now: datetime) -> str:
    """`executable`, `temporarily_disabled` (until `hook.disabled_until`) or `disabled`."""
    if hook.is_system:
        return "executable"
    if hook.recent_failures > FAILURES_BEFORE_THE_LAST:
        return "disabled"
    paused = hook.disabled_until is not None and hook.disabled_until >= now
    return "temporarily_disabled" if paused and hook.recent_failures > FREE_FAILURES else "executable"


def is_executable(hook: Hook, now: datetime) -> bool:
    """Whether GitLab calls it."""
    return alert_status(hook, now) == "executable"


def note_success(hook: Hook) -> None:
    """Forget all failures."""
    hook.recent_failures, hook.disabled_until = 0, None


def note_failure(hook: Hook, now: datetime) -> None:
    """Count a failure; one of a hook that is disabled (a test) changes nothing."""
    if hook.is_system or not is_executable(hook, now):
        return
    hook.recent_failures += 1
    if hook.recent_failures > FREE_FAILURES:
        doublings = min(hook.recent_failures - FREE_FAILURES - 1, 20)  # a day is reached long before
        hook.disabled_until = now + min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)
