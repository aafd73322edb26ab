"""Every page there is. They must come last: a project's page takes whatever path is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.pages.browsing import browsing_routes
from gitlab_emulator.pages.hook_forms import HookForms
from gitlab_emulator.pages.hooks import HookPages
from gitlab_emulator.pages.records import Records
from gitlab_emulator.pages.rendering import Pages
from gitlab_emulator.pages.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import Route

    from gitlab_emulator.calls import CallRecord
    from gitlab_emulator.clock import Clock
    from gitlab_emulator.faults import Faults
    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.state import State
    from gitlab_emulator.third_party import ThirdParty


def page_routes(
    state: State,
    *,
    calls: CallRecord,
    faults: Faults,
    hooks: Hooks,
    clock: Clock,
    third_party: ThirdParty,
    base_url_of: Callable[[Request], str],
    changed: Callable[[], None],
) -> list[Route]:
    """The routes of all pages. What is an operator's lies under `/admin`, where no project can be.

    `changed` is called after a form that may have changed the state.
    """
    pages = Pages(state, clock=clock, base_url_of=base_url_of, changed=changed)
    return [
        *HookPages(state, hooks, pages).routes(),
        *HookForms(state, hooks, pages).routes(),
        *Sending(state, hooks, pages).routes(),
        *Records(calls, faults, clock, third_party, pages).routes(),
        *browsing_routes(state, calls, pages),
    ]
