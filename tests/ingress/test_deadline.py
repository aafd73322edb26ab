"""One timer for all: whoever takes too long is told so, and only they."""

from __future__ import annotations

import asyncio

import pytest

from ingress.deadline import Patience


async def waits(patience, event):
    with patience:
        await event.wait()


async def test_what_ends_in_time_is_left_alone():
    event = asyncio.Event()
    task = asyncio.create_task(waits(Patience(60), event))
    await asyncio.sleep(0)
    event.set()
    await task
    assert not task.cancelling()


async def test_what_takes_too_long_is_a_timeout_error_and_the_task_goes_on():
    async def told():
        with pytest.raises(TimeoutError):
            await waits(Patience(0.02), asyncio.Event())
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)
        return "went on"

    assert await asyncio.wait_for(told(), 5) == "went on"


async def test_of_many_only_the_slow_ones_are_told():
    patience, quick, slow = Patience(0.05), asyncio.Event(), asyncio.Event()
    quick.set()
    first = asyncio.create_task(waits(patience, slow))
    others = [asyncio.create_task(waits(patience, quick)) for _ in range(20)]
    await asyncio.gather(*others)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(first, 5)


async def test_it_can_be_used_again_when_nobody_waited_any_more():
    patience = Patience(0.02)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waits(patience, asyncio.Event()), 5)


async def test_somebody_elses_cancellation_stays_one():
    task = asyncio.create_task(waits(Patience(60), asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_inside_stays_what_it_is():
    with pytest.raises(KeyError), Patience(60):
        raise KeyError


def test_it_works_in_one_loop_after_the_other():
    patience = Patience(0.02)

    async def told():
        with pytest.raises(TimeoutError):
            await waits(patience, asyncio.Event())

    async def leaves_early():
        with patience:
            pass

    asyncio.run(leaves_early())  # its timer dies with its loop
    asyncio.run(asyncio.wait_for(told(), 5))
