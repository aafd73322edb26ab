"""Many deliveries to a receiver on a real port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.load import Plan, send_all
from gitlab_emulator.load_statistics import LoadStatistics
from waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Receiver:
    """Answers 200 to what it gets, unless it is held up."""

    ids: list[str] = field(default_factory=list)
    connections: int = 0
    under_way: int = 0
    most_under_way: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, as many requests as come over it."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(headers["content-length"]))
                self.ids.append(headers["webhook-id"])
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
                await self.may_answer.wait()
                self.under_way -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                if headers.get("connection") == "close":
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """One that answers at once."""
    async with served() as made:
        made.may_answer.set()
        yield made


@asynccontextmanager
async def served() -> AsyncIterator[Receiver]:
    """One that holds its answers back until told otherwise."""
    made = Receiver()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield made
    made.may_answer.set()
    server.close()


def plan(url: str, **changed: Any) -> Plan:
    """Ten deliveries, as fast as can be."""
    ids = map("d-{}".format, count(1))

    def make() -> tuple[str, dict[str, str]]:
        delivery_id = next(ids)
        return delivery_id, {"webhook-id": delivery_id, "Content-Type": "application/json"}

    defaults: dict[str, Any] = {
        "url": url,
        "body": b"{}",
        "make": make,
        "count": 10,
        "rate": 100_000,
        "at_once": 100,
        "keep_alive": False,
    }
    return Plan(**{**defaults, **changed})


async def test_each_delivery_has_its_own_id_and_connection(receiver) -> None:
    """As GitLab does it; each is told of under its id when it has ended."""
    statistics, told = LoadStatistics(), []
    await send_all(
        plan(receiver.url), statistics, lambda delivery_id, sent: told.append((delivery_id, sent.ok))
    )
    assert sorted(receiver.ids) == sorted(f"d-{number}" for number in range(1, 11))
    assert sorted(told) == sorted((delivery_id, True) for delivery_id in receiver.ids)
    assert receiver.connections == 10
    assert (statistics.summary().sent, statistics.summary().all_ok) == (10, True)


async def test_connections_can_be_used_again(receiver) -> None:
    """Then a run of ten one after the other needs one."""
    await send_all(plan(receiver.url, rate=None, keep_alive=True), LoadStatistics(), lambda *_: None)
    assert (len(receiver.ids), receiver.connections) == (10, 1)


async def test_answers_that_do_not_come_hold_nothing_up() -> None:
    """At a rate, all are begun although none is answered."""
    async with served() as receiver:
        statistics = LoadStatistics()
        work = asyncio.create_task(send_all(plan(receiver.url), statistics, lambda *_: None))
        await until(lambda: receiver.under_way == 10)
        assert (statistics.started, statistics.ended) == (10, 0)
        receiver.may_answer.set()
        await work
    assert statistics.summary().all_ok


@pytest.mark.parametrize(("changed", "most"), [({"at_once": 3}, 3), ({"rate": None}, 1)])
async def test_no_more_are_under_way_than_allowed(changed, most) -> None:
    """Without a rate that is one."""
    async with served() as receiver:
        statistics = LoadStatistics()
        work = asyncio.create_task(send_all(plan(receiver.url, **changed), statistics, lambda *_: None))
        await until(lambda: receiver.under_way == most)
        assert statistics.started == most
        receiver.may_answer.set()
        await work
        assert receiver.most_under_way == most
    assert statistics.summary().sent == 10


async def test_a_run_can_be_cut_short() -> None:
    """What is under way then is counted as that."""
    async with served() as receiver:
        statistics = LoadStatistics()
        work = asyncio.create_task(send_all(plan(receiver.url, at_once=4), statistics, lambda *_: None))
        await until(lambda: receiver.under_way == 4)
        work.cancel()
        await asyncio.wait({work})
        assert work.cancelled()
    assert (statistics.summary().sent, statistics.summary().under_way) == (4, 4)


async def test_a_run_ends_when_nobody_is_there(unused_tcp_port) -> None:
    """Ten thousand refusals say no more than the first."""
    statistics = LoadStatistics()
    address = f"http://127.0.0.1:{unused_tcp_port}/"
    await send_all(plan(address, count=10_000, at_once=5), statistics, lambda *_: None)
    assert statistics.unreachable
    assert statistics.started < 10_000
