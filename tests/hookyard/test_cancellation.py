"""Cancelling a task that may lose a cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hookyard.cancellation import cancel_and_wait


async def test_a_task_is_stopped_although_it_loses_a_cancellation():
    async def forgetful():
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    task = asyncio.create_task(forgetful())
    await asyncio.sleep(0)
    await asyncio.wait_for(cancel_and_wait(task), 60)
    assert task.cancelled()
    await cancel_and_wait(task)


async def test_a_task_that_failed_says_so_when_it_is_stopped():
    async def fail():
        raise ValueError("lost")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="lost"):
        await cancel_and_wait(task)
