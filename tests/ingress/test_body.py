"""How a body is read: whole, within its limit, in time, and never more in memory than there is room for."""

from __future__ import annotations

import asyncio

import pytest

from ingress.body import (
    REQUEST_BYTES,
    Disconnected,
    Holding,
    TooBusy,
    TooLarge,
    TooSlow,
    let_go,
    read_body,
)
from ingress.deadline import Patience
from tests.fakes import Chunks, until


async def read(chunks, *, content_length=None, limit=10, max_bytes=1000, patience_s=5.0):
    """Read in an ingress that is not busy; its room is free again afterwards."""
    holding = Holding(max_bytes=max_bytes)
    try:
        with holding.room() as room:
            return await read_body(
                content_length, chunks, limit=limit, room=room, patience=Patience(patience_s)
            )
    finally:
        assert holding.held_bytes == 0


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
    with pytest.raises(TooLarge):
        await read(chunks, content_length=content_length)
    assert chunks.taken == 0


@pytest.mark.parametrize(
    ("chunks", "taken"),
    [((b"x" * 11,), 1), ((b"x" * 10, b"x", b"x"), 2), ((b"x" * 11, b"x", b"x"), 1), ((b"x" * 5,) * 9, 3)],
)
async def test_a_body_that_turns_out_too_large_is_read_no_further(chunks, taken):
    body = Chunks(*chunks)
    with pytest.raises(TooLarge):
        await read(body)
    assert body.taken == taken


@pytest.mark.parametrize("chunks", [(), (b"x",), (b"x", b"y")], ids=repr)
async def test_a_client_that_goes_away_is_noticed(chunks):
    with pytest.raises(Disconnected):
        await read(Chunks(*chunks, then="disconnect"))


@pytest.mark.parametrize("chunks", [(), (b"x",), (b"x", b"y")], ids=repr)
async def test_a_body_that_does_not_arrive_is_not_waited_for_for_ever(chunks):
    with pytest.raises(TooSlow):
        await asyncio.wait_for(read(Chunks(*chunks, then="silence"), patience_s=0.05), 5)


async def test_a_caller_that_is_cancelled_is_not_told_that_the_body_was_slow():
    task = asyncio.create_task(read(Chunks(b"x", then="silence")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_all_requests_together_hold_no_more_than_they_may():
    holding = Holding(max_bytes=REQUEST_BYTES + 100)  # two requests, 100 bytes of bodies
    with holding.room() as first, holding.room() as second:
        assert (
            await read_body(None, Chunks(b"x" * 40, b"x" * 40), limit=90, room=first, patience=Patience(5))
            == b"x" * 80
        )
        body = Chunks(b"x" * 15, b"x" * 15, b"x" * 15)
        with pytest.raises(TooBusy):
            await read_body(None, body, limit=90, room=second, patience=Patience(5))
        assert body.taken <= 2
    assert holding.held_bytes == 0
    with holding.room() as third:
        assert await read_body(None, Chunks(b"x" * 90), limit=90, room=third, patience=Patience(5))


async def test_what_can_no_longer_fit_is_turned_away_before_it_is_read():
    holding = Holding(max_bytes=REQUEST_BYTES + 100)  # two requests, 100 bytes of bodies
    with holding.room() as first, holding.room() as second:
        await read_body(b"80", Chunks(b"x" * 80), limit=90, room=first, patience=Patience(5))
        body = Chunks(b"x" * 50)
        with pytest.raises(TooBusy):
            await read_body(b"50", body, limit=90, room=second, patience=Patience(5))
        assert body.taken == 0


async def test_announcing_much_and_sending_nothing_keeps_nobody_out():
    """Else a handful of idle connections would shut the door for all."""
    holding = Holding(max_bytes=REQUEST_BYTES + 100)  # two requests, 100 bytes of bodies
    with holding.room() as idle, holding.room() as busy:
        waiting = asyncio.create_task(
            read_body(b"90", Chunks(then="silence"), limit=90, room=idle, patience=Patience(5))
        )
        await asyncio.sleep(0)
        assert (
            await read_body(b"80", Chunks(b"x" * 80), limit=90, room=busy, patience=Patience(5)) == b"x" * 80
        )
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_of_two_large_bodies_at_once_one_gets_through():
    """Were room taken only for what is there, both would be turned away half read."""
    holding = Holding(max_bytes=REQUEST_BYTES + 100)
    with holding.room() as first, holding.room() as second:
        body = Chunks(b"x" * 10, then="silence")
        half = asyncio.create_task(read_body(b"90", body, limit=90, room=first, patience=Patience(5)))
        await until(lambda: body.taken == 1)
        late = Chunks(*[b"x" * 10] * 9)
        with pytest.raises(TooBusy):
            await read_body(b"90", late, limit=90, room=second, patience=Patience(5))
        assert late.taken == 0
        half.cancel()
        with pytest.raises(asyncio.CancelledError):
            await half


@pytest.mark.parametrize("then", ["end", "disconnect", "silence"])
async def test_what_is_not_wanted_is_let_go_of_in_bounded_time(then):
    body = Chunks(*[b"x" * 1000] * 50, then=then)
    await asyncio.wait_for(let_go(body, patience_s=0.1), 5)
    assert body.taken == 50
