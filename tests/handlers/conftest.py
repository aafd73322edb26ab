"""The example bot, run by a real worker against the stand-in for GitLab."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from gitlab_emulator.app import create_app
from gitlab_emulator.hooks import request as hooks
from gitlab_emulator.outgoing import prepare

from handlers import router
from hookyard.ledger.records import State
from tests.fakes import a_delivery, until


class Bot:
    """Delivers samples to the bot and looks at what it did in GitLab."""

    def __init__(self, app, url, ledger, listing):
        self._app = app
        self._url = url
        self._ledger = ledger
        self._listing = listing
        self._count = 0

    async def deliver(self, sample, **amended):
        """Deliver a sample and return its record once it is finished."""
        self._count += 1
        outgoing = prepare(
            sample=sample,
            event=None,
            file_bytes=None,
            amendments=[f"{name.replace('__', '.')}={value}" for name, value in amended.items()],
            gitlab_url=self._url,
            secrets=hooks.Secrets(),
            now=datetime.now(UTC),
        )
        delivery = a_delivery(f"d-{self._count}", event=outgoing.event, data=json.loads(outgoing.body))
        await self._ledger.accept(delivery)

        async def finished():
            record = await self._listing.get(delivery.id)
            return record if record.state in {State.SUCCEEDED, State.FAILED, State.IGNORED} else None

        return await until(finished)

    def notes_posted(self):
        """Return the bodies of the notes that the bot left."""
        return [
            call.body["body"]
            for call in self._app.state.calls
            if call.method == "POST" and call.path.endswith("/notes")
        ]


@pytest.fixture
async def bot(start_worker, free_server, ledger, listing):
    """The bot in ``handlers/``, with a GitLab of its own."""
    app = create_app()
    url = await free_server(app)
    await start_worker(router, GL_URL=url, GL_ACCESS_TOKEN="glpat-demo")
    return Bot(app, url, ledger, listing)
