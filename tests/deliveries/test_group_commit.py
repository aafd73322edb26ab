"""Group commit: who waits at the same moment travels together, and only that."""

from __future__ import annotations

import asyncio

import pytest

from deliveries.group_commit import GroupCommit
from tests.fakes import until


class Flushes:
    """Takes batches and lets each go when it is told to; answers are ten times the item."""

    def __init__(self):
        self.batches = []
        self.error = None
        self.answers = None
        self._may_go = asyncio.Semaphore(0)

    def let_go(self, count=1):
        for _ in range(count):
            self._may_go.release()

    async def __call__(self, items):
        self.batches.append(list(items))
        await self._may_go.acquire()
        if self.error:
            raise self.error
        return [item * 10 for item in items] if self.answers is None else self.answers


@pytest.fixture
def flushes():
    return Flushes()


async def started(commit, *items):
    """One caller for each item, in this order, all of them waiting."""
    tasks = [commit(item) for item in items]
    await asyncio.sleep(0)
    return tasks


async def ended(tasks):
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)


async def test_a_lone_item_waits_for_nobody(flushes):
    flushes.let_go()
    assert await asyncio.wait_for(GroupCommit(flushes)(1), 5) == 10
    assert flushes.batches == [[1]]


async def test_who_comes_at_the_same_moment_travels_together_in_order(flushes):
    flushes.let_go()
    tasks = await started(GroupCommit(flushes), 1, 2, 3)
    assert await ended(tasks) == [10, 20, 30]
    assert flushes.batches == [[1, 2, 3]]


async def test_who_comes_while_one_batch_is_under_way_is_the_next_one(flushes):
    commit = GroupCommit(flushes)
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    for item in range(2, 6):
        tasks += await started(commit, item)
    flushes.let_go(2)
    assert await ended(tasks) == [10, 20, 30, 40, 50]
    assert flushes.batches == [[1], [2, 3, 4, 5]]


async def test_it_can_be_used_again_when_all_is_done(flushes):
    commit = GroupCommit(flushes)
    flushes.let_go(2)
    assert [await commit(1), await commit(2)] == [10, 20]
    assert flushes.batches == [[1], [2]]


async def test_a_batch_has_a_most_of_items(flushes):
    flushes.let_go(3)
    tasks = await started(GroupCommit(flushes, max_items=2), *range(5))
    assert await ended(tasks) == [0, 10, 20, 30, 40]
    assert flushes.batches == [[0, 1], [2, 3], [4]]


async def test_a_batch_has_a_most_of_bytes_but_always_one_item(flushes):
    flushes.let_go(9)
    commit = GroupCommit(flushes, size=lambda item: item, max_bytes=10)
    await ended(await started(commit, 4, 6, 1, 99, 5, 5, 5))
    assert flushes.batches == [[4, 6], [1], [99], [5, 5], [5]]


async def test_an_error_reaches_all_of_its_batch_and_nobody_else(flushes):
    commit = GroupCommit(flushes)
    flushes.error = ValueError("lost")
    first = await started(commit, 1, 2)
    await until(lambda: flushes.batches)
    second = await started(commit, 3)
    flushes.let_go()
    assert [repr(answer) for answer in await ended(first)] == ["ValueError('lost')"] * 2
    flushes.error = None
    flushes.let_go()
    assert await ended(second) == [30]


@pytest.mark.parametrize("answers", [[], [1], [1, 2, 3]])
async def test_answers_that_do_not_match_the_items_are_everybodys_error(flushes, answers):
    flushes.answers = answers
    flushes.let_go()
    commit = GroupCommit(flushes)
    assert [type(answer) for answer in await ended(await started(commit, 1, 2))] == [ValueError, ValueError]
    flushes.answers = None
    flushes.let_go()
    assert await asyncio.wait_for(commit(4), 5) == 40


async def test_who_gives_up_waiting_hurts_nobody(flushes):
    commit = GroupCommit(flushes)
    under_way = await started(commit, 1, 2)
    await until(lambda: flushes.batches)
    under_way[0].cancel()
    flushes.let_go()
    gone, stayed = await ended(under_way)
    assert isinstance(gone, asyncio.CancelledError)
    assert stayed == 20


async def test_what_nobody_waits_for_any_more_is_not_sent(flushes):
    """Else what was given up while Redis hung would pile up, and be kept long after it was refused."""
    commit = GroupCommit(flushes)
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    tasks += await started(commit, 2, 3, 4)
    tasks[1].cancel()
    tasks[3].cancel()
    await asyncio.sleep(0)
    flushes.let_go(2)
    await ended(tasks)
    assert flushes.batches == [[1], [3]]


async def test_when_all_who_wait_have_given_up_nothing_is_sent(flushes):
    commit = GroupCommit(flushes)
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    tasks += await started(commit, 2)
    tasks[1].cancel()
    await asyncio.sleep(0)
    flushes.let_go()
    await ended(tasks)
    await until(lambda: not commit._flushers)
    assert flushes.batches == [[1]]
    flushes.let_go()
    assert await asyncio.wait_for(commit(3), 5) == 30


async def test_when_the_flush_itself_is_cancelled_nobody_waits_for_ever(flushes):
    commit = GroupCommit(flushes)
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    tasks += await started(commit, 2)
    (flusher,) = commit._flushers
    flusher.cancel()
    answers = await ended(tasks)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 2
    flushes.let_go()
    assert await asyncio.wait_for(commit(3), 5) == 30


async def test_when_many_wait_a_second_batch_goes_while_the_first_is_under_way(flushes):
    commit = GroupCommit(flushes, worth_another=3)
    tasks = await started(commit, 1)
    await until(lambda: len(flushes.batches) == 1)
    tasks += await started(commit, 2, 3)
    assert flushes.batches == [[1]]
    tasks += await started(commit, 4)
    await until(lambda: len(flushes.batches) == 2)
    tasks += await started(commit, 5, 6, 7, 8)
    await asyncio.sleep(0)
    assert flushes.batches == [[1], [2, 3, 4]]  # never a third
    flushes.let_go(3)
    assert await ended(tasks) == [n * 10 for n in range(1, 9)]
    assert flushes.batches == [[1], [2, 3, 4], [5, 6, 7, 8]]
    await until(lambda: not commit._flushers)


async def test_who_waits_is_told_at_once_of_an_error_that_they_would_only_meet_too(flushes):
    commit = GroupCommit(flushes, ends_all=lambda exc: isinstance(exc, ConnectionError))
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    tasks += await started(commit, 2, 3)
    flushes.error = ConnectionError("gone")
    flushes.let_go()
    assert [type(answer) for answer in await ended(tasks)] == [ConnectionError] * 3
    assert flushes.batches == [[1]]
    flushes.error = None
    flushes.let_go()
    assert await asyncio.wait_for(commit(4), 5) == 40


async def test_another_error_leaves_those_alone_who_wait(flushes):
    commit = GroupCommit(flushes, ends_all=lambda exc: isinstance(exc, ConnectionError))
    first = await started(commit, 1)
    await until(lambda: flushes.batches)
    second = await started(commit, 2)
    flushes.error = ValueError("our own")
    flushes.let_go()
    assert [type(answer) for answer in await ended(first)] == [ValueError]
    flushes.error = None
    flushes.let_go()
    assert await ended(second) == [20]
