"""The spool: on the disk when it says so, bounded, in order, and hard to break."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest

from ingress.spool.database import FILE
from ingress.spool.spool import CannotSpool, Spool
from tests.fakes import a_delivery


@pytest.fixture
async def open_spool(tmp_path):
    """Gives a coroutine function that opens a spool in a directory of the test's own."""
    opened = []

    async def make(directory=None, *, max_bytes=1024**2):
        spool = Spool(directory or tmp_path / "spool", max_bytes=max_bytes)
        opened.append(spool)
        await spool.open()
        return spool

    yield make
    for spool in opened:
        await spool.close()


def taking(seen):
    """An accept that takes everything."""

    async def accept(delivery):
        seen.append(delivery)
        return True

    return accept


async def test_what_is_put_comes_out_in_order_and_as_it_was(open_spool):
    spool = await open_spool()
    sent = [a_delivery(f"d-{number}", data={"n": number}, object="!1") for number in range(500)]
    assert await asyncio.gather(*(spool.put(delivery) for delivery in sent)) == [True] * 500
    seen = []
    assert await spool.drain(taking(seen)) == 500
    assert seen == sent
    assert (await spool.depth()).waiting == 0


async def test_the_same_id_is_spooled_once(open_spool):
    spool = await open_spool()
    answers = await asyncio.gather(*(spool.put(a_delivery("d-1")) for _ in range(20)))
    assert sorted(answers) == [False] * 19 + [True]
    assert (await spool.depth()).waiting == 1


async def test_two_processes_share_a_directory(open_spool):
    one, other = await open_spool(), await open_spool()
    await asyncio.gather(*(spool.put(a_delivery(f"d-{n}")) for n, spool in enumerate([one, other] * 50)))
    seen = []
    drained = await asyncio.gather(one.drain(taking(seen)), other.drain(taking(seen)))
    assert sum(drained) == 100
    assert len({delivery.id for delivery in seen}) == 100


async def test_what_is_not_accepted_stays(open_spool):
    spool = await open_spool()
    for number in range(5):
        await spool.put(a_delivery(f"d-{number}"))

    async def accept(delivery):
        if delivery.id == "d-3":
            raise ConnectionError("Redis went away")
        return True

    with pytest.raises(ConnectionError):
        await spool.drain(accept)
    seen = []
    await spool.drain(taking(seen))
    assert [delivery.id for delivery in seen] == ["d-3"]


async def test_what_was_put_is_there_after_the_process_is_gone(open_spool, tmp_path):
    import subprocess
    import sys

    code = """
import asyncio, os, sys
from pathlib import Path
from ingress.spool.spool import Spool
from tests.fakes import a_delivery

async def main():
    spool = Spool(Path(sys.argv[1]), max_bytes=10**7)
    await spool.open()
    await asyncio.gather(*(spool.put(a_delivery(f"d-{n}")) for n in range(30)))
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    from tests.processes import ROOT

    command = [sys.executable, "-c", code, tmp_path / "spool"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == -9
    spool = await open_spool()
    seen = []
    assert await spool.drain(taking(seen)) == 30


async def test_a_full_spool_says_so_and_takes_again_once_it_is_drained(open_spool):
    spool = await open_spool(max_bytes=1024**2)
    answers = [
        await asyncio.gather(spool.put(a_delivery(f"d-{n}", body=os.urandom(50_000))), return_exceptions=True)
        for n in range(30)
    ]
    put = answers.count([True])
    assert {str(answer).rpartition(": ")[2] for [answer] in answers[put:]} == {"database or disk is full"}
    assert 10 < put < 21
    depth = await spool.depth()
    assert depth.used_bytes <= depth.max_bytes
    seen = []
    assert await spool.drain(taking(seen)) == put
    assert await spool.put(a_delivery("again")) is True


async def test_a_damaged_row_is_set_aside_and_costs_nothing_but_itself(open_spool, tmp_path, capsys):
    spool = await open_spool()
    for number in range(3):
        await spool.put(a_delivery(f"d-{number}", data={"marker": f"body-{number}" * 3}))
    await spool.close()
    with closing(sqlite3.connect(tmp_path / "spool" / FILE)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "spool" / FILE
    content = path.read_bytes()
    assert content.count(b"body-1body-1body-1") == 1
    path.write_bytes(content.replace(b"body-1body-1body-1", b"body-1bodX-1body-1"))
    spool = await open_spool()
    seen = []
    assert await spool.drain(taking(seen)) == 2
    assert [delivery.id for delivery in seen] == ["d-0", "d-2"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id, reason FROM set_aside").fetchall() == [
            ("d-1", "its checksum does not match")
        ]
    assert "set aside" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["header", "middle"])
async def test_a_damaged_file_is_set_aside_and_the_spool_goes_on(open_spool, tmp_path, damage):
    spool = await open_spool(max_bytes=10**7)
    for number in range(200):
        await spool.put(a_delivery(f"d-{number}", body=os.urandom(3000)))
    await spool.close()
    path = tmp_path / "spool" / FILE
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    start = 0 if damage == "header" else len(content) // 2 // 4096 * 4096
    content[start : start + 8192] = os.urandom(8192)
    path.write_bytes(bytes(content))
    spool = await open_spool(max_bytes=10**7)
    seen = []
    await spool.drain(taking(seen))
    assert await spool.put(a_delivery("new")) is True
    assert await spool.drain(taking(seen)) == 1
    if damage == "middle":
        assert len({delivery.id for delivery in seen}) > 150
    assert list((tmp_path / "spool").glob(f"{FILE}.damaged-*")) or damage == "middle"


async def test_a_directory_that_cannot_be_made_is_refused(open_spool, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotSpool):
        await open_spool(tmp_path / "file" / "spool")
