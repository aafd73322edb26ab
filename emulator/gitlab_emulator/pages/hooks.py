"""Pages of the hooks: all of them, one with its deliveries, one delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from gitlab_emulator.hooks.registration import SWITCHES, scope
from gitlab_emulator.pages.browsing import whole_number

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.hooks.model import Hook, HookEvent
    from gitlab_emulator.pages.rendering import Pages
    from gitlab_emulator.state import Project, State

EVENTS_SHOWN = 100
HOOKS = "/admin/hooks"


class HookPages:
    """What is at `/admin/hooks` and below, but for its forms."""

    def __init__(self, state: State, hooks: Hooks, pages: Pages) -> None:
        self._state = state
        self._hooks = hooks
        self._pages = pages

    def routes(self) -> list[Route]:
        """The list, a hook, a delivery."""
        return [
            Route(HOOKS, self._all, methods=["GET"]),
            Route(f"{HOOKS}/{{hook}}", self._one, methods=["GET"]),
            Route(f"{HOOKS}/{{hook}}/events/{{event}}", self._event, methods=["GET"]),
        ]

    async def _all(self, request: Request) -> Response:
        hooks = list(self._state.hooks.values())
        last = {event.hook_id: event for event in self._state.hook_events.values()}
        return self._pages.page("hooks.html", request, hooks=hooks, last=last, switches=SWITCHES)

    async def _one(self, request: Request) -> Response:
        hook = hook_named(self._state, request)
        if hook is None:
            return self._pages.missing(request)
        events = self._hooks.log.of(hook, self._pages.clock())
        return self._pages.page(
            "hook.html",
            request,
            hook=hook,
            events=events[:EVENTS_SHOWN],
            events_total=len(events),
            switches=SWITCHES[scope(hook)],
            home=home_of(self._state, hook),
        )

    async def _event(self, request: Request) -> Response:
        found = event_named(self._state, self._hooks, request)
        if found is None:
            return self._pages.missing(request)
        hook, event = found
        return self._pages.page("hook_event.html", request, hook=hook, event=event)


def hook_named(state: State, request: Request) -> Hook | None:
    """The hook that the address names."""
    return state.hooks.get(whole_number(request.path_params["hook"]))


def event_named(state: State, hooks: Hooks, request: Request) -> tuple[Hook, HookEvent] | None:
    """The hook and the delivery that the address names."""
    hook = hook_named(state, request)
    event = hook and hooks.log.find(hook, whole_number(request.path_params["event"]))
    return (hook, event) if hook and event else None


def home_of(state: State, hook: Hook) -> Project | None:
    """The hook's project, or the first one that it hears of."""
    for project in state.projects.values():
        groups = {group.id for group in state.groups_above(project)}
        if hook.is_system or hook.project_id == project.id or hook.group_id in groups:
            return project
    return None
