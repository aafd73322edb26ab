"""A console against the tests' Redis, and those who sign in to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx
import pytest

from hookyard.console.app import create_app
from hookyard.console.identities import entry_text, hash_password, make_token
from hookyard.ledger.claims import Settlement
from hookyard.ledger.fingerprints import fingerprint
from hookyard.ledger.records import Attempt, Ending, Outcome, Run, State
from tests.fakes import a_delivery

PASSWORD = "correct horse"
HASHED = hash_password(PASSWORD)
TOKENS = {role: make_token() for role in ("viewer", "operator", "admin")}
LINK = "the-link-that-up-printed"
ERROR = "ValueError: no label 17"
TRACEBACK = f'Traceback (most recent call last):\n  File "/bot/labels.py", line 12, in label\n{ERROR}\n'
FINGERPRINT = fingerprint("bot:label", ERROR, TRACEBACK)


@dataclass
class Console:
    """A console that runs, as tests see it."""

    url: str
    app: object

    def client(self, **given) -> httpx.AsyncClient:
        """A client that nobody has signed in with."""
        return httpx.AsyncClient(base_url=self.url, timeout=30, **given)

    def with_token(self, role: str) -> httpx.AsyncClient:
        """A program's client."""
        return self.client(headers={"authorization": f"Bearer {TOKENS[role][0]}"})


@pytest.fixture
def console_settings(make_settings):
    """Settings in which there is somebody of each role."""
    roles = {"vic": "viewer", "ann": "operator+bodies", "root": "admin"}
    return make_settings(
        HOOKYARD_CONSOLE_USERS=" ".join(entry_text(name, role, HASHED) for name, role in roles.items()),
        HOOKYARD_CONSOLE_TOKENS=" ".join(entry_text(role, role, each[1]) for role, each in TOKENS.items()),
        HOOKYARD_CONSOLE_SECRET="signs cookies",
        HOOKYARD_CONSOLE_LINK=LINK,
        HOOKYARD_CONSOLE_HOSTS="hookyard.example.com",
    )


@pytest.fixture
async def console(console_settings, free_server):
    """A console that runs."""
    app = create_app(console_settings)
    return Console(url=await free_server(app), app=app)


@pytest.fixture
async def sign_in(console):
    """Gives a coroutine function that signs somebody in; the client has ``csrf`` of its session."""
    opened = []

    async def sign_in(name):
        client = console.client()
        opened.append(client)
        answer = await client.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        page = (await client.get("/")).text
        client.csrf = re.search(r'name="csrf" content="(\w+)"', page)[1]
        return client

    yield sign_in
    for client in opened:
        await client.aclose()


@pytest.fixture
async def filled(ledger):
    """Six deliveries: d-0 to d-2 failed, d-3 and d-4 succeeded, d-5 is queued."""
    for number in range(6):
        await ledger.accept(
            a_delivery(
                f"d-{number}",
                event="Issue Hook",
                data={
                    "object_kind": "issue",
                    "user": {"name": "Ann Example", "email": "ann@example.com"},
                    "project": {"web_url": "https://gitlab.example.com/group/app"},
                    "object_attributes": {"url": "javascript:alert(1)"},
                },
                received_ms=a_delivery().received_ms - 60_000 + number,
                project="group/app",
                object=f"#{number % 2}",
                authenticated_by="GL_SECRET #1 (a1b2c3)",
            )
        )
    for record in (await ledger.claim(worker="w", limit=5)).records:
        await ledger.settle(a_settlement(record, failed=int(record.delivery.id[2:]) < 3))
    return ledger


def a_settlement(record, *, failed: bool, handler: str = "bot:label") -> Settlement:
    """The end of a run in which one handler failed, or succeeded."""
    attempt = Attempt(
        handler=handler,
        outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        number=1,
        started_ms=record.claimed_ms,
        took_ms=12,
        final=True,
        error=ERROR if failed else None,
        traceback=TRACEBACK if failed else None,
        fingerprint=FINGERPRINT if failed else None,
    )
    run = Run(
        number=record.claims,
        worker="w",
        started_ms=record.claimed_ms,
        ended_ms=record.claimed_ms + 20,
        ending=Ending.SETTLED,
        attempts=(attempt,),
    )
    return Settlement(
        delivery_id=record.delivery.id,
        token=record.token,
        state=State.FAILED if failed else State.SUCCEEDED,
        error=ERROR if failed else None,
        run=run,
    )
