"""What a test does with the GitLab that its bot talks to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.app import create_app
from gitlab_emulator.callback_url import checked
from gitlab_emulator.faults import read_fault

if TYPE_CHECKING:
    from gitlab_emulator.calls import RecordedCall
    from gitlab_emulator.state import State
    from starlette.applications import Starlette

    from pytest_hookyard.stage import Stage


class GitLabEmulator:
    """A GitLab of the test's own, at ``url``; its API is under ``url + "/api/v4"``."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.url = stage.gitlab.url
        self.reset()

    @property
    def state(self) -> State:
        """Users, projects, issues and so on: to look at, and to change before the bot comes."""
        state: State = self._app.state.gitlab
        return state

    @property
    def calls(self) -> list[RecordedCall]:
        """The API calls so far, oldest first: ``method``, ``path``, ``query``, ``body``, ``status``."""
        return list(self._app.state.calls)

    def fail(self, **fault: object) -> None:
        """Have the next calls fail: ``fail(calls=2, status=503)``, ``fail(method="POST", delay_s=2)``.

        The fields are those of ``gitlab_emulator.faults.Fault``; several orders are used up in turn.

        :raises FaultError: for an order that makes no sense, naming the field.
        """
        self._app.state.faults.order(read_fault(fault))

    def call_back(self, url: str, *, delay_s: float = 0.0) -> None:
        """Have the third party at ``url + "/api/endpoint"`` call *url* back, *delay_s* after it took a job.

        :raises ValueError: for a URL that cannot be called, saying why.
        """
        self._app.state.third_party.callback_url = checked(url)
        self._app.state.third_party.delay_s = delay_s

    def reset(self, state: State | None = None) -> None:
        """Begin anew with *state* (default: that of ``gitlab_emulator.seed``): no calls, no faults."""
        self._app: Starlette = self._stage.world.run(self._fresh(state))

    def close(self) -> None:
        """Answer no more."""
        self._stage.world.run(self._stage.gitlab.put(None))

    async def settled(self) -> None:
        """Return when no webhook of its own is under way; for the loop that it runs in."""
        await self._app.state.hooks.settled()

    async def _fresh(self, state: State | None) -> Starlette:
        app = create_app(state, external_url=self.url)
        await self._stage.gitlab.put(app)
        return app
