"""A worker that runs inside the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from worker.app import make_engine, make_parts, worker_name


@pytest.fixture
async def start_worker(make_settings):
    """Gives a coroutine function that starts a worker with a router and settings; all end with the test."""
    running = []

    async def start(router, *, burst=False, **given):
        settings = make_settings(**given)
        name = worker_name()
        parts = make_parts(settings, router, name=name)
        engine = make_engine(settings, parts, name=name, burst=burst, handle_signals=False)
        task = asyncio.create_task(engine.async_run())
        running.append((engine, parts, task))
        return engine

    yield start
    for engine, parts, task in running:
        if engine._pool is not None:
            await engine.close()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await parts.close()
