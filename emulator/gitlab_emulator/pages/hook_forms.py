"""Forms for hooks: add one, test it, resend a delivery, delete it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from gitlab_emulator.hooks.matching import log_name
from gitlab_emulator.hooks.registration import add_hook
from gitlab_emulator.hooks.validation import HookError
from gitlab_emulator.pages.browsing import whole_number
from gitlab_emulator.pages.forms import FormError, carried_out_by
from gitlab_emulator.pages.hooks import HOOKS, event_named, home_of, hook_named
from gitlab_emulator.pages.rendering import go_to
from gitlab_emulator.project_scene import NoSampleDataError, body_for_test, project_scene

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gitlab_emulator.hooks.execution import Done
    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.pages.forms import Form
    from gitlab_emulator.pages.rendering import Pages
    from gitlab_emulator.state import State


class HookForms:
    """The forms of `/admin/hooks` and below."""

    def __init__(self, state: State, hooks: Hooks, pages: Pages) -> None:
        self._state = state
        self._hooks = hooks
        self._pages = pages

    def routes(self) -> list[Route]:
        """Where they are sent to."""
        acts = {
            HOOKS: self._add,
            f"{HOOKS}/{{hook}}/delete": self._delete,
            f"{HOOKS}/{{hook}}/test": self._test,
            f"{HOOKS}/{{hook}}/events/{{event}}/resend": self._resend,
        }
        return [Route(path, carried_out_by(self._pages, act), methods=["POST"]) for path, act in acts.items()]

    async def _add(self, _request: Request, form: Form) -> Response:
        try:
            hook = add_hook(
                self._state,
                url=form.text("url"),
                now=self._pages.clock(),
                switches=form.ticked("switch"),
                name=form.text("name") or None,
                token=form.text("token") or None,
                signing_token=form.text("signing_token") or None,
                **_place(self._state, form.text("place")),
            )
        except HookError as error:
            raise FormError(f"{error}.") from error
        return go_to(f"{HOOKS}/{hook.id}")

    async def _delete(self, request: Request, _form: Form) -> Response:
        hook = hook_named(self._state, request)
        if hook is not None:
            self._hooks.remove(hook)
        return go_to(HOOKS)

    async def _test(self, request: Request, form: Form) -> Response:
        hook = hook_named(self._state, request)
        if hook is None:
            return self._pages.missing(request)
        project, trigger = home_of(self._state, hook), form.text("trigger")
        if project is None:
            raise FormError("There is no project that a sample could be about.")
        base_url = self._pages.base_url_of(request)
        try:
            scene = project_scene(self._state, project, base_url=base_url, now=self._pages.clock())
            body = body_for_test(trigger, scene)
        except NoSampleDataError as error:
            raise FormError(str(error)) from error
        return shown(
            self._state,
            hook,
            await self._hooks.test(hook, log_name(trigger, hook), body, base_url=base_url),
        )

    async def _resend(self, request: Request, _form: Form) -> Response:
        found = event_named(self._state, self._hooks, request)
        if found is None:
            return self._pages.missing(request)
        hook, event = found
        base_url = self._pages.base_url_of(request)
        return shown(self._state, hook, await self._hooks.resend(hook, event, base_url=base_url))


def shown(state: State, hook: Hook, done: Done) -> Response:
    """Redirect to the page of the delivery; FormError when there is none in the log."""
    event = next((one for one in reversed(state.hook_events.values()) if one.hook_id == hook.id), None)
    if event is None or (done.status is None and event.internal_error_message != done.message):
        raise FormError(f"Nothing was sent: {done.message}.")
    return go_to(f"{HOOKS}/{hook.id}/events/{event.id}")


def _place(state: State, text: str) -> dict[str, int]:
    """`project:1`, `group:5` or `system` as the attributes of a hook there."""
    kind, _, number = text.partition(":")
    if kind == "system":
        return {}
    places = {"project": set(state.projects), "group": set(state.groups)}.get(kind, set())
    if whole_number(number) not in places:
        raise FormError("Choose whose webhook it is to be.")
    return {f"{kind}_id": int(number)}
