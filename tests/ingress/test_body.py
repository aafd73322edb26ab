"""How a body is read: whole, within its size limit, its time limit and the memory budget."""

from __future__ import annotations

import asyncio

import pytest

from ingress.body import BodyTooLarge, BodyTooSlow, Disconnected, discard_rest, read_body
from ingress.memory_budget import REQUEST_BYTES, SMALL_BYTES, MemoryBudget, OverBudget
from tests.fakes import Chunks, until


async def read(chunks, *, announced=0, max_bytes=10, **limits):
    """Read in an ingress that is not busy; its budget is free again afterwards."""
    budget = MemoryBudget(max_bytes=1000)
    try:
        body, reservation = await read_body(
            chunks, announced=announced, max_bytes=max_bytes, budget=budget, is_stranger=False, **limits
        )
        assert reservation.held_bytes == REQUEST_BYTES + len(body)
        reservation.release()
        return body
    finally:
        assert budget.held_bytes == 0


def read_within(budget, chunks, announced=0, *, is_stranger=False):
    """Read a body in an ingress with this budget."""
    return read_body(
        chunks, announced=announced, max_bytes=4 * SMALL_BYTES, budget=budget, is_stranger=is_stranger
    )


@pytest.mark.parametrize(
    "chunks",
    [
        (b"0123456789",),
        (b"01234", b"56789"),
        (b"", b"0123456789"),
        (b"0123456789", b""),
        tuple(b"%d" % n for n in range(10)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("announced", [0, 3, 10])
async def test_a_body_is_read_whole_however_it_arrives(chunks, announced):
    assert await read(Chunks(*chunks), announced=announced) == b"0123456789"


@pytest.mark.parametrize("chunks", [(b"",), (b"", b"")])
async def test_an_empty_body_is_one(chunks):
    assert await read(Chunks(*chunks)) == b""


@pytest.mark.parametrize(
    ("chunks", "taken"),
    [((b"x" * 11,), 1), ((b"x" * 10, b"x", b"x"), 2), ((b"x" * 11, b"x", b"x"), 1), ((b"x" * 5,) * 9, 3)],
)
async def test_a_body_that_turns_out_too_large_is_read_no_further(chunks, taken):
    body = Chunks(*chunks)
    with pytest.raises(BodyTooLarge):
        await read(body)
    assert body.taken == taken


@pytest.mark.parametrize("chunks", [(), (b"x",), (b"x", b"y")], ids=repr)
async def test_a_client_that_goes_away_is_noticed(chunks):
    with pytest.raises(Disconnected):
        await read(Chunks(*chunks, then="disconnect"))


@pytest.mark.parametrize("limits", [{"timeout_s": 0.05}, {"stall_timeout_s": 0.05}], ids=repr)
@pytest.mark.parametrize("chunks", [(), (b"x",), (b"x", b"y")], ids=repr)
async def test_a_body_that_does_not_arrive_is_given_up(chunks, limits):
    with pytest.raises(BodyTooSlow):
        await asyncio.wait_for(read(Chunks(*chunks, then="silence"), **limits), 60)


async def test_a_caller_that_is_cancelled_is_not_told_that_the_body_was_slow():
    task = asyncio.create_task(read(Chunks(b"x", then="silence")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


LARGE = 2 * SMALL_BYTES
ROOM = 16 * SMALL_BYTES  # 14 of it for large bodies


async def test_all_requests_together_hold_no_more_than_they_may():
    budget = MemoryBudget(max_bytes=ROOM)
    held = [(await read_within(budget, Chunks(b"x" * LARGE)))[1] for _ in range(6)]
    body = Chunks(*[b"x" * SMALL_BYTES] * 4)
    with pytest.raises(OverBudget):
        await read_within(budget, body)
    assert body.taken < 4
    assert budget.held_bytes == 6 * (REQUEST_BYTES + LARGE)
    for reservation in held:
        with reservation:
            pass
    assert budget.held_bytes == 0
    assert len((await read_within(budget, Chunks(b"x" * LARGE)))[0]) == LARGE


async def test_what_can_no_longer_fit_is_refused_before_it_is_read():
    budget = MemoryBudget(max_bytes=ROOM)
    for _ in range(6):
        await read_within(budget, Chunks(b"x" * LARGE), LARGE)
    body = Chunks(b"x" * LARGE)
    with pytest.raises(OverBudget):
        await read_within(budget, body, LARGE)
    assert body.taken == 0


async def silent(budget, *chunks, announced=0, is_stranger=True):
    """Begin to read a body that does not go on after *chunks*."""
    body = Chunks(*chunks, then="silence")
    reading = asyncio.create_task(read_within(budget, body, announced, is_stranger=is_stranger))
    await until(lambda: body.taken == len(chunks))
    await asyncio.sleep(0)  # what it has read is held
    return reading


async def test_an_announcement_holds_nothing():
    budget = MemoryBudget(max_bytes=ROOM)
    reading = [await silent(budget, b"x", announced=ROOM // 2) for _ in range(5)]
    assert budget.held_bytes == 5 * (REQUEST_BYTES + 1)
    assert len((await read_within(budget, Chunks(b"x" * LARGE), LARGE))[0]) == LARGE
    for each in reading:
        each.cancel()
    await asyncio.gather(*reading, return_exceptions=True)


async def test_large_bodies_leave_room_for_small_ones():
    budget = MemoryBudget(max_bytes=ROOM)
    for _ in range(6):
        await read_within(budget, Chunks(b"x" * LARGE), LARGE)
    with pytest.raises(OverBudget):
        await read_within(budget, Chunks(b"x" * LARGE), LARGE)
    assert len((await read_within(budget, Chunks(b"x" * 5000), 5000))[0]) == 5000


async def test_a_small_body_takes_the_room_of_the_stranger_who_has_been_sending_longest():
    """Else whoever claims to sign could shut out GitLab by small bodies that he never ends."""
    budget = MemoryBudget(max_bytes=ROOM)
    each = SMALL_BYTES - REQUEST_BYTES
    known = await silent(budget, b"x" * each, is_stranger=False)
    strangers = [await silent(budget, b"x" * each) for _ in range(15)]
    assert budget.held_bytes == ROOM
    assert len((await read_within(budget, Chunks(b"x" * each), each))[0]) == each
    with pytest.raises(OverBudget):
        await strangers[0]
    assert [task.done() for task in (known, *strangers[1:])] == [False] * 15
    for task in (known, *strangers[1:]):
        task.cancel()
    await asyncio.gather(known, *strangers[1:], return_exceptions=True)


async def test_a_large_body_takes_nobodys_room():
    budget = MemoryBudget(max_bytes=ROOM)
    strangers = [await silent(budget, b"x" * LARGE) for _ in range(6)]
    with pytest.raises(OverBudget):
        await read_within(budget, Chunks(b"x" * LARGE, b"x"))
    assert not any(task.done() for task in strangers)
    for task in strangers:
        task.cancel()
    await asyncio.gather(*strangers, return_exceptions=True)
    assert budget.held_bytes == 0


@pytest.mark.parametrize("then", ["end", "disconnect", "silence"])
async def test_the_rest_of_a_refused_body_is_discarded_in_bounded_time(then):
    body = Chunks(*[b"x" * 1000] * 50, then=then)
    await asyncio.wait_for(discard_rest(body, timeout_s=0.1), 60)
    assert body.taken == 50
