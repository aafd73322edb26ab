"""Pages of what came in from outside, and of what is to go wrong: API calls, faults, third-party jobs."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from gitlab_emulator.callback_url import shown
from gitlab_emulator.clock import ClockError
from gitlab_emulator.faults import FaultError, read_fault
from gitlab_emulator.pages.forms import FormError, carried_out_by
from gitlab_emulator.pages.rendering import go_to

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gitlab_emulator.calls import CallRecord
    from gitlab_emulator.clock import Clock
    from gitlab_emulator.faults import Faults
    from gitlab_emulator.pages.forms import Form
    from gitlab_emulator.pages.rendering import Pages
    from gitlab_emulator.third_party import ThirdParty

CALLS, FAULTS, JOBS = "/admin/calls", "/admin/faults", "/admin/jobs"
CALLS_SHOWN = 200
JOBS_SHOWN = 200
STEPS_S = {"60": 60.0, "3600": 3600.0, "86400": 86400.0}
PAGES_WITH_CLOCK = re.compile(r"/admin/hooks(?:/[0-9]{1,18})?")
OUTCOMES: dict[str, dict[str, Any]] = {"drop": {"drop": True}, "late": {"status": None}}


class Records:
    """What is at `/admin/calls`, `/admin/faults` and `/admin/jobs`, and takes the clock's steps."""

    def __init__(
        self, calls: CallRecord, faults: Faults, clock: Clock, third_party: ThirdParty, pages: Pages
    ) -> None:
        self._calls = calls
        self._faults = faults
        self._clock = clock
        self._third_party = third_party
        self._pages = pages

    def routes(self) -> list[Route]:
        """The pages and their forms."""
        shown = {CALLS: self._show_calls, FAULTS: self._show_faults, JOBS: self._show_jobs}
        acts = {
            f"{CALLS}/clear": self._clear_calls,
            FAULTS: self._order_fault,
            f"{FAULTS}/clear": self._clear_faults,
            "/admin/clock": self._forward,
        }
        return [
            *(Route(path, page, methods=["GET"]) for path, page in shown.items()),
            *(Route(path, carried_out_by(self._pages, act), methods=["POST"]) for path, act in acts.items()),
        ]

    async def _show_calls(self, request: Request) -> Response:
        calls = list(islice(reversed(self._calls), CALLS_SHOWN))
        return self._pages.page("calls.html", request, calls=calls, calls_total=len(self._calls))

    async def _clear_calls(self, _request: Request, _form: Form) -> Response:
        self._calls.clear()
        return go_to(CALLS)

    async def _show_faults(self, request: Request) -> Response:
        return self._pages.page("faults.html", request, faults=self._faults.as_json())

    async def _order_fault(self, _request: Request, form: Form) -> Response:
        try:
            self._faults.order(read_fault(order_in(form)))
        except FaultError as error:
            raise FormError(f"{error}.") from error
        return go_to(FAULTS)

    async def _clear_faults(self, _request: Request, _form: Form) -> Response:
        self._faults.clear()
        return go_to(FAULTS)

    async def _show_jobs(self, request: Request) -> Response:
        jobs = self._third_party.jobs()[::-1]
        return self._pages.page(
            "jobs.html",
            request,
            jobs=jobs[:JOBS_SHOWN],
            jobs_total=len(jobs),
            callback_url=shown(self._third_party.callback_url or ""),  # without a password
            delay_s=self._third_party.delay_s,
        )

    async def _forward(self, _request: Request, form: Form) -> Response:
        if (step_s := STEPS_S.get(form.text("forward_s"))) is None:
            raise FormError("The clock goes forward by a minute, an hour or a day.")
        try:
            self._clock.set(forward_s=step_s)
        except ClockError as error:
            raise FormError(str(error)) from error
        back = form.text("back")
        return go_to(back if PAGES_WITH_CLOCK.fullmatch(back) else "/admin/hooks")


def order_in(form: Form) -> dict[str, Any]:
    """The fault that a form describes, as `read_fault` takes it."""
    outcome = form.text("outcome")
    order: dict[str, Any] = dict(
        OUTCOMES.get(outcome) or {"status": form.number("outcome", range(200, 600), 500)}
    )
    order |= {name: form.text(name) for name in ("method", "path") if form.text(name)}
    order["calls"] = form.number("calls", range(1, 1_000_001), 1)
    order["delay_s"] = form.number("delay_s", range(601), 0)
    if form.text("retry_after_s"):
        order["headers"] = {"Retry-After": str(form.number("retry_after_s", range(86_401), 0))}
    return order
