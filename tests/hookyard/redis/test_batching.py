"""Group commit: who waits at the same moment travels together, and only that."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.redis.batching import GroupCommit, awaited
from tests.fakes import until


class Flushes:
    """Takes batches and lets each go when it is told to; odd items are answered with 1, even ones with 0."""

    def __init__(self):
        self.batches = []
        self.error = None
        self.answers = None
        self._under_way = []
        self._may_go = 0

    def let_go(self, count=1):
        self._may_go += count
        while self._may_go and self._under_way:
            self._may_go -= 1
            items, done = self._under_way.pop(0)
            if self.error:
                done(None, self.error)
            else:
                done([item % 2 for item in items] if self.answers is None else self.answers, None)

    def __call__(self, items, done):
        self.batches.append(list(items))
        self._under_way.append((items, done))
        self.let_go(0)


@pytest.fixture
def flushes():
    return Flushes()


async def started(commit, *items):
    """One caller for each item, in this order, all of them waiting."""
    tasks = [commit(item) for item in items]
    await asyncio.sleep(0)
    return tasks


async def ended(tasks):
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)


async def test_a_lone_item_waits_for_nobody(flushes):
    flushes.let_go()
    assert await asyncio.wait_for(GroupCommit(flushes)(1), 60) is True
    assert flushes.batches == [[1]]


async def test_who_comes_at_the_same_moment_travels_together_in_order(flushes):
    flushes.let_go()
    tasks = await started(GroupCommit(flushes), 1, 2, 3)
    assert await ended(tasks) == [True, False, True]
    assert flushes.batches == [[1, 2, 3]]


async def test_who_comes_while_one_batch_is_under_way_is_the_next_one(flushes):
    commit = GroupCommit(flushes)
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    for item in range(2, 6):
        tasks += await started(commit, item)
    flushes.let_go(2)
    assert await ended(tasks) == [True, False, True, False, True]
    assert flushes.batches == [[1], [2, 3, 4, 5]]


async def test_it_can_be_used_again_when_all_is_done(flushes):
    commit = GroupCommit(flushes)
    flushes.let_go(2)
    assert [await commit(1), await commit(2)] == [True, False]
    assert flushes.batches == [[1], [2]]


async def test_a_batch_has_a_most_of_items(flushes):
    flushes.let_go(3)
    tasks = await started(GroupCommit(flushes, max_items=2), *range(5))
    assert await ended(tasks) == [False, True, False, True, False]
    assert flushes.batches == [[0, 1], [2, 3], [4]]


async def test_a_batch_has_a_most_of_bytes_but_always_one_item(flushes):
    flushes.let_go(9)
    commit = GroupCommit(flushes, max_bytes=10)
    tasks = [commit(item, size=item) for item in (4, 6, 1, 99, 5, 5, 5)]
    await ended(tasks)
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
    assert await ended(second) == [True]


@pytest.mark.parametrize("answers", [[], [1], [1, 2, 3]])
async def test_answers_that_do_not_match_the_items_are_everybodys_error(flushes, answers):
    flushes.answers = answers
    flushes.let_go()
    commit = GroupCommit(flushes)
    assert [type(answer) for answer in await ended(await started(commit, 1, 2))] == [ValueError, ValueError]
    flushes.answers = None
    flushes.let_go()
    assert await asyncio.wait_for(commit(5), 60) is True


async def test_who_gives_up_waiting_hurts_nobody(flushes):
    commit = GroupCommit(flushes)
    under_way = await started(commit, 1, 2)
    await until(lambda: flushes.batches)
    under_way[0].cancel()
    flushes.let_go()
    gone, stayed = await ended(under_way)
    assert isinstance(gone, asyncio.CancelledError)
    assert stayed is False


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
    assert flushes.batches == [[1]]
    flushes.let_go()
    assert await asyncio.wait_for(commit(3), 60) is True


async def test_what_is_awaited_is_a_flush_too(flushes):
    may_go = asyncio.Event()

    async def flush(items):
        await may_go.wait()
        if 7 in items:
            raise ValueError("seven")
        return [item % 2 for item in items]

    commit = GroupCommit(awaited(flush))
    tasks = await started(commit, 1, 2)
    await started(commit)
    tasks += await started(commit, 7)
    may_go.set()
    assert [repr(answer) for answer in await ended(tasks)] == ["True", "False", "ValueError('seven')"]


async def test_when_the_flush_itself_is_cancelled_nobody_waits_for_ever():
    stuck = asyncio.Event()

    async def flush(items):
        await stuck.wait()
        return [1 for _ in items]

    commit = GroupCommit(awaited(flush))
    tasks = await started(commit, 1)
    await asyncio.sleep(0)
    (flushing,) = [task for task in asyncio.all_tasks() if task.get_name() == "group-commit"]
    flushing.cancel()
    assert [type(answer) for answer in await ended(tasks)] == [asyncio.CancelledError]
    stuck.set()
    assert await asyncio.wait_for(commit(3), 60) is True


async def test_a_flush_that_fails_at_once_fails_its_batch_and_no_other(flushes):
    def flush(items, done):
        if 2 in items:
            raise ValueError("two")
        flushes(items, done)

    commit = GroupCommit(flush, max_items=1)
    flushes.let_go(2)
    assert [repr(answer) for answer in await ended(await started(commit, 1, 2, 3))] == [
        "True",
        "ValueError('two')",
        "True",
    ]


async def test_when_many_wait_further_batches_go_while_one_is_under_way_but_not_more_than_allowed(flushes):
    commit = GroupCommit(flushes, min_for_another=3, max_in_flight=2)
    tasks = await started(commit, 1)
    await until(lambda: len(flushes.batches) == 1)
    tasks += await started(commit, 2, 3)
    assert flushes.batches == [[1]]
    tasks += await started(commit, 4)
    assert flushes.batches == [[1], [2, 3, 4]]  # at once, not in the next turn of the loop
    tasks += await started(commit, 5, 6, 7, 8)
    assert flushes.batches == [[1], [2, 3, 4]]  # never a third
    flushes.let_go()
    assert flushes.batches == [[1], [2, 3, 4], [5, 6, 7, 8]]
    tasks += await started(commit, 9)
    flushes.let_go()
    assert len(flushes.batches) == 3  # one is not worth it
    flushes.let_go(2)
    assert await ended(tasks) == [number % 2 == 1 for number in range(1, 10)]
    assert flushes.batches[3:] == [[9]]


async def test_many_at_the_same_moment_do_not_wait_for_the_end_of_it(flushes):
    commit = GroupCommit(flushes, min_for_another=2, max_in_flight=2)
    tasks = [commit(item) for item in range(1, 6)]
    assert flushes.batches == [[1, 2], [3, 4]]
    flushes.let_go(3)
    assert await ended(tasks) == [True, False, True, False, True]
    assert flushes.batches == [[1, 2], [3, 4], [5]]


async def test_who_waits_is_told_at_once_of_an_error_that_they_would_only_meet_too(flushes):
    commit = GroupCommit(flushes, fails_all=lambda exc: isinstance(exc, ConnectionError))
    tasks = await started(commit, 1)
    await until(lambda: flushes.batches)
    tasks += await started(commit, 2, 3)
    flushes.error = ConnectionError("gone")
    flushes.let_go()
    assert [type(answer) for answer in await ended(tasks)] == [ConnectionError] * 3
    assert flushes.batches == [[1]]
    flushes.error = None
    flushes.let_go()
    assert await asyncio.wait_for(commit(5), 60) is True


async def test_another_error_leaves_those_alone_who_wait(flushes):
    commit = GroupCommit(flushes, fails_all=lambda exc: isinstance(exc, ConnectionError))
    first = await started(commit, 1)
    await until(lambda: flushes.batches)
    second = await started(commit, 2)
    flushes.error = ValueError("our own")
    flushes.let_go()
    assert [type(answer) for answer in await ended(first)] == [ValueError]
    flushes.error = None
    flushes.let_go()
    assert await ended(second) == [False]
