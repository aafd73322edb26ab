"""The loops and the doors that tests run between."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pytest_hookyard.door import Door
from pytest_hookyard.stage import LoopThread, StuckError


@pytest.fixture
def loop():
    """A loop in a thread."""
    thread = LoopThread("a loop")
    thread.start()
    yield thread
    thread.stop()


@pytest.fixture
def door(loop):
    """A door that is open."""
    opened = Door()
    loop.run(opened.open())
    yield opened
    loop.run(opened.close())


def app(text, happened=None):
    """An app that answers with a text, and writes down when it comes and goes."""

    @asynccontextmanager
    async def lifespan(_app):
        async with asyncio.TaskGroup():  # must be left in the task that entered it
            happened.append(f"{text} comes")
            yield
        happened.append(f"{text} goes")

    async def answer(_request):
        return PlainTextResponse(text)

    return Starlette(routes=[Route("/", answer)], lifespan=lifespan if happened is not None else None)


def test_a_loop_that_does_not_come_round_is_told(loop):
    let_go = threading.Event()

    async def block():
        let_go.wait(60)

    with pytest.raises(StuckError, match="a loop is stuck"):
        loop.run(block(), within_s=0.05)
    let_go.set()
    assert loop.run(asyncio.sleep(0, "round")) == "round"


def test_what_a_coroutine_raises_is_raised_to_whoever_waits(loop):
    async def fail():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        loop.run(fail())


def test_an_app_takes_the_place_of_the_one_before_at_the_same_address(loop, door):
    happened: list[str] = []
    for text in ("one", "two"):
        loop.run(door.put(app(text, happened)))
        assert httpx.get(door.url, trust_env=False).text == text
    loop.run(door.put(None))
    assert httpx.get(door.url, trust_env=False).status_code == 503
    assert happened == ["one comes", "one goes", "two comes", "two goes"]


def test_an_app_that_cannot_start_is_told(loop, door):
    @asynccontextmanager
    async def lifespan(_app):
        raise OSError("the disk is full")
        yield

    with pytest.raises(OSError, match="the disk is full"):
        loop.run(door.put(Starlette(lifespan=lifespan)))
