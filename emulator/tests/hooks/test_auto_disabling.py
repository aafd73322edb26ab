"""When a hook is disabled, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from gitlab_emulator.hooks.auto_disabling import alert_status, note_failure, note_success
from gitlab_emulator.hooks.model import Hook

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_hook() -> Hook:
    return Hook(id=1, url="http://127.0.0.1:9/", created_at=NOW, project_id=1)


def failed(hook: Hook, times: int) -> datetime:
    """Each failure just after the hook is called again; gives the time after the last."""
    now = NOW
    for _ in range(times):
        if hook.disabled_until is not None:
            now = hook.disabled_until + timedelta(seconds=1)
        note_failure(hook, now)
    return now


@pytest.mark.parametrize(
    ("failures", "pause"),
    [
        (3, None),
        (4, MINUTE),
        (5, 2 * MINUTE),
        (6, 4 * MINUTE),
        (14, 1024 * MINUTE),
        (15, timedelta(days=1)),
        (39, timedelta(days=1)),
    ],
)
def test_each_failure_after_the_third_doubles_the_pause_up_to_a_day(
    failures: int, pause: timedelta | None
) -> None:
    hook = a_hook()
    now = failed(hook, failures)
    assert hook.disabled_until == (None if pause is None else now + pause)
    assert alert_status(hook, now) == ("executable" if pause is None else "temporarily_disabled")


def test_the_hook_is_called_again_once_the_pause_is_over() -> None:
    hook = a_hook()
    failed(hook, 4)
    assert alert_status(hook, NOW + MINUTE) == "temporarily_disabled"
    assert alert_status(hook, NOW + MINUTE + timedelta(seconds=1)) == "executable"


def test_the_fortieth_failure_is_the_last() -> None:
    hook = a_hook()
    failed(hook, 40)
    assert alert_status(hook, NOW + timedelta(days=10_000)) == "disabled"


def test_failures_of_a_disabled_hook_do_not_count() -> None:
    hook = a_hook()
    failed(hook, 4)
    for _ in range(50):
        note_failure(hook, NOW)
    assert (hook.recent_failures, hook.disabled_until) == (4, NOW + MINUTE)


@pytest.mark.parametrize("failures", [3, 4, 40])
def test_one_success_makes_everything_good(failures: int) -> None:
    hook = a_hook()
    failed(hook, failures)
    note_success(hook)
    assert (hook.recent_failures, alert_status(hook, NOW)) == (0, "executable")


def test_group_hooks_are_disabled_and_system_hooks_are_not() -> None:
    of_group = replace(a_hook(), project_id=None, group_id=5)
    of_system = replace(a_hook(), project_id=None)
    for hook in (of_group, of_system):
        for _ in range(4):
            note_failure(hook, NOW)
    assert alert_status(of_group, NOW) == "temporarily_disabled"
    assert (alert_status(of_system, NOW), of_system.recent_failures) == ("executable", 0)
