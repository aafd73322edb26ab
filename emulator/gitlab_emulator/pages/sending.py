"""The form that sends any sample event: as if it had happened here, to one hook, or to any address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from starlette.routing import Route

from gitlab_emulator.activity import Activity
from gitlab_emulator.hooks import request as wire
from gitlab_emulator.hooks.matching import SYSTEM_HOOKS, matching_hooks
from gitlab_emulator.hooks.model import SYSTEM_SWITCHES
from gitlab_emulator.hooks.sending import Answered, open_client, post
from gitlab_emulator.hooks.signing import signing_key
from gitlab_emulator.hooks.validation import is_url
from gitlab_emulator.pages.browsing import whole_number
from gitlab_emulator.pages.forms import FormError, carried_out_by
from gitlab_emulator.pages.hook_forms import shown
from gitlab_emulator.pages.rendering import go_to
from gitlab_emulator.project_scene import NoSampleDataError, body_of, project_scene
from gitlab_emulator.samples.amend import amended
from gitlab_emulator.samples.catalogue import SAMPLES, by_event

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gitlab_emulator.hooks.hooks import Hooks
    from gitlab_emulator.pages.forms import Form
    from gitlab_emulator.pages.rendering import Pages
    from gitlab_emulator.samples.sample import Sample
    from gitlab_emulator.state import Project, State

SEND = "/admin/send"
MAX_DIGITS = 9
OF_GROUPS = ("member", "subgroup", "project")


class Sending:
    """What is at `/admin/send`."""

    def __init__(self, state: State, hooks: Hooks, pages: Pages) -> None:
        self._state = state
        self._hooks = hooks
        self._pages = pages

    def routes(self) -> list[Route]:
        """The form, and where it is sent to."""
        return [
            Route(SEND, self._show, methods=["GET"]),
            Route(SEND, carried_out_by(self._pages, self._send), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._pages.page(
            "send.html",
            request,
            samples=by_event(),
            chosen_sample=request.query_params.get("kind", "issue-open"),
            told=told(request),
        )

    async def _send(self, request: Request, form: Form) -> Response:
        sample = SAMPLES.get(form.text("kind"))
        project = self._state.projects.get(whole_number(form.text("project")))
        if sample is None or project is None:
            raise FormError("Choose a kind of event and a project.")
        base_url, target = self._pages.base_url_of(request), form.text("target")
        body = self._body(sample, project, form, base_url)
        if target == "url":
            numbers = await self._to_url(form, sample, body, base_url)
            return go_to(f"{SEND}?{numbers}&kind={form.text('kind')}")
        if target == "hooks":
            activity = activity_of(sample, body, project)
            count = len(matching_hooks(self._state, activity, self._pages.clock()))
            self._hooks.execute(activity, base_url=base_url)
            return go_to(f"{SEND}?hooks={count}&kind={form.text('kind')}")
        hook = self._state.hooks.get(whole_number(target))
        if hook is None:
            raise FormError("Choose where to send it.")
        name = SYSTEM_HOOKS if hook.is_system else f"{sample.event.lower().replace(' ', '_')}s"
        return shown(self._state, hook, await self._hooks.test(hook, name, body, base_url=base_url))

    def _body(self, sample: Sample, project: Project, form: Form, base_url: str) -> Any:
        """The sample's body in this project, changed as the form says."""
        orders = [line.strip() for line in form.text("amendments").splitlines() if line.strip()]
        try:
            scene = project_scene(self._state, project, base_url=base_url, now=self._pages.clock())
            return amended(body_of(sample, scene), orders)
        except (NoSampleDataError, ValueError) as error:
            raise FormError(str(error)) from error

    async def _to_url(self, form: Form, sample: Sample, body: Any, base_url: str) -> str:
        """Send it to the form's address; what came of it in numbers."""
        url, signing_token = form.text("url"), form.text("signing_token") or None
        if not is_url(url):
            raise FormError("Give an address to send it to, such as http://127.0.0.1:8000/ .")
        encoded = wire.encode(body)
        try:
            if signing_token:
                signing_key(signing_token)
        except ValueError as error:
            raise FormError(f"{error}.") from error
        headers = wire.headers(
            event=sample.event,
            ids=wire.DeliveryIds(delivery=str(uuid4()), event=str(uuid4()), request=str(uuid4())),
            timestamp_s=int(time.time()),
            body=encoded,
            instance=base_url,
            secrets=wire.Secrets(token=form.text("token") or None, signing_token=signing_token),
            version=self._hooks.version,
        )
        async with open_client() as client:
            sent = await post(client, url, headers, encoded)
        status = sent.ending.status if isinstance(sent.ending, Answered) else 0
        return f"status={status}&ms={sent.duration_ms}"


def activity_of(sample: Sample, body: Any, project: Project) -> Activity:
    """The sample as something that happened: in the project, in its group, or in the whole instance."""
    told_of = body if isinstance(body, dict) else {}
    ref = str(told_of.get("ref", ""))
    if sample.event == "System Hook":
        name = str(told_of.get("event_name") or f"{told_of.get('object_kind')}s")
        return Activity(trigger=name if name in SYSTEM_SWITCHES else "system", body=body, ref=ref)
    if sample.trigger in OF_GROUPS:
        return Activity(trigger=sample.trigger, body=body, group_id=project.namespace_id)
    return Activity(trigger=sample.trigger, body=body, project_id=project.id, ref=ref)


def told(request: Request) -> dict[str, int] | None:
    """What the redirect says of the last send: only numbers, so that nobody can put words on the page."""
    given = {name: request.query_params.get(name, "") for name in ("hooks", "status", "ms")}
    found = {
        name: int(text)
        for name, text in given.items()
        if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS
    }
    return found if "hooks" in found or found.keys() >= {"status", "ms"} else None
