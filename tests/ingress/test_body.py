"""How a body is read: whole, within its size limit, its time limit and the memory budget."""

from __future__ import annotations

import asyncio

import pytest

from ingress.body import BodyTooLarge, BodyTooSlow, Disconnected, discard_rest, read_body
from ingress.memory_budget import REQUEST_BYTES, MemoryBudget, OverBudget
from tests.fakes import Chunks, until


async def read(chunks, *, content_length=None, max_bytes=10, timeout_s=5.0):
    """Read in an ingress that is not busy; its budget is free again afterwards."""
    budget = MemoryBudget(max_bytes=1000)
    try:
        body, reservation = await read_body(
            chunks, content_length=content_length, max_bytes=max_bytes, budget=budget, timeout_s=timeout_s
        )
        assert reservation.held_bytes == REQUEST_BYTES + len(body)
        reservation.release()
        return body
    finally:
        assert budget.held_bytes == 0


def read_within(budget, chunks, content_length=None):
    """Read a body of at most 90 bytes."""
    return read_body(chunks, content_length=content_length, max_bytes=90, budget=budget)


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
@pytest.mark.parametrize("content_length", [None, b"10", b"3", b"nonsense", b"-1", b"", b"010"])
async def test_a_body_is_read_whole_however_it_arrives(chunks, content_length):
    assert await read(Chunks(*chunks), content_length=content_length) == b"0123456789"


@pytest.mark.parametrize("chunks", [(b"",), (b"", b"")])
async def test_an_empty_body_is_one(chunks):
    assert await read(Chunks(*chunks), content_length=b"0") == b""


@pytest.mark.parametrize("content_length", [b"11", b"9" * 20, b"9" * 5000, b"000000000000011"])
async def test_a_content_length_over_the_limit_is_believed_before_anything_is_read(content_length):
    chunks = Chunks(b"x")
    with pytest.raises(BodyTooLarge):
        await read(chunks, content_length=content_length)
    assert chunks.taken == 0


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


@pytest.mark.parametrize("chunks", [(), (b"x",), (b"x", b"y")], ids=repr)
async def test_a_body_that_does_not_arrive_is_given_up(chunks):
    with pytest.raises(BodyTooSlow):
        await asyncio.wait_for(read(Chunks(*chunks, then="silence"), timeout_s=0.05), 60)


async def test_a_caller_that_is_cancelled_is_not_told_that_the_body_was_slow():
    task = asyncio.create_task(read(Chunks(b"x", then="silence")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_all_requests_together_hold_no_more_than_they_may():
    budget = MemoryBudget(max_bytes=REQUEST_BYTES + 100)  # two requests, 100 bytes of bodies
    first, reservation = await read_within(budget, Chunks(b"x" * 40, b"x" * 40))
    assert first == b"x" * 80
    body = Chunks(b"x" * 15, b"x" * 15, b"x" * 15)
    with pytest.raises(OverBudget):
        await read_within(budget, body)
    assert body.taken <= 2
    with reservation:
        assert budget.held_bytes == REQUEST_BYTES + 80
    assert budget.held_bytes == 0
    assert (await read_within(budget, Chunks(b"x" * 90)))[0] == b"x" * 90


async def test_what_can_no_longer_fit_is_refused_before_it_is_read():
    budget = MemoryBudget(max_bytes=REQUEST_BYTES + 100)  # two requests, 100 bytes of bodies
    await read_within(budget, Chunks(b"x" * 80), b"80")
    body = Chunks(b"x" * 50)
    with pytest.raises(OverBudget):
        await read_within(budget, body, b"50")
    assert body.taken == 0


async def test_announcing_much_and_sending_nothing_keeps_nobody_out():
    """Else a handful of idle connections would shut the door for all."""
    budget = MemoryBudget(max_bytes=REQUEST_BYTES + 100)  # two requests, 100 bytes of bodies
    waiting = asyncio.create_task(read_within(budget, Chunks(then="silence"), b"90"))
    await asyncio.sleep(0)
    assert (await read_within(budget, Chunks(b"x" * 80), b"80"))[0] == b"x" * 80
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_of_two_large_bodies_at_once_one_gets_through():
    """Were memory reserved only for what has arrived, both would be refused half read."""
    budget = MemoryBudget(max_bytes=REQUEST_BYTES + 100)
    body = Chunks(b"x" * 10, then="silence")
    half = asyncio.create_task(read_within(budget, body, b"90"))
    await until(lambda: body.taken == 1)
    late = Chunks(*[b"x" * 10] * 9)
    with pytest.raises(OverBudget):
        await read_within(budget, late, b"90")
    assert late.taken == 0
    half.cancel()
    with pytest.raises(asyncio.CancelledError):
        await half
    assert budget.held_bytes == 0


@pytest.mark.parametrize("then", ["end", "disconnect", "silence"])
async def test_the_rest_of_a_refused_body_is_discarded_in_bounded_time(then):
    body = Chunks(*[b"x" * 1000] * 50, then=then)
    await asyncio.wait_for(discard_rest(body, timeout_s=0.1), 60)
    assert body.taken == 50
