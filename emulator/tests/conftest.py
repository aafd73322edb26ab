"""The emulator without a network: its app, and a client that speaks to it directly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from gitlab_emulator.app import create_app
from receiving import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

NOW = datetime(2026, 11, 20, 12, 30, 15, 250_000, tzinfo=UTC)
ADDRESS = "http://gitlab.test"


@pytest.fixture
def now() -> datetime:
    """What the emulator's clock shows."""
    return NOW


@pytest.fixture
def app() -> Starlette:
    """An emulator that takes any token; its clock stands still."""
    return create_app(clock=lambda: NOW)


@pytest.fixture
async def web(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that emulator; an exception in the emulator is an exception in the test."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ADDRESS) as client:
        yield client
    await app.state.hooks.aclose()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks on a real socket."""
    async with receiving() as one:
        yield one
