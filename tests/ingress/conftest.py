"""An ingress inside the test's own event loop."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx
import pytest

from ingress.app import create_app


@pytest.fixture
async def start_ingress(make_settings):
    """Gives a coroutine function that starts an ingress with settings, and returns a client of it."""
    async with AsyncExitStack() as stack:

        async def start(**given):
            app = create_app(make_settings(**given))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=True)
            return await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://ingress")
            )

        yield start
