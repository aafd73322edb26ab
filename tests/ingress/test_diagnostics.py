from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from ingress.diagnostics import spool_report
from ingress.spool.spool import Spool
from tests.fakes import a_delivery


@pytest.fixture
async def spool(tmp_path):
    opened = Spool(tmp_path / "spool", max_bytes=2**24)
    await opened.open()
    yield opened
    await opened.close()


async def test_what_waits_in_the_spool_is_counted_while_an_ingress_uses_it(spool):
    for number in range(3):
        await spool.put(a_delivery(f"d-{number}"))
    assert spool_report(spool.directory) == {
        "directory": str(spool.directory),
        "error": None,
        "waiting": 3,
        "damaged": [],
    }


async def test_what_was_set_aside_is_named(spool):
    await spool.put(a_delivery("d-1"))
    await spool._in_thread(spool._table.set_aside, 1, "its checksum does not match")
    (spool.directory / "spool.sqlite3.damaged-7").touch()
    (spool.directory / "spool.sqlite3.damaged-7-wal").touch()
    report = spool_report(spool.directory)
    assert report["waiting"] == 0
    assert report["damaged"] == ["spool.sqlite3.damaged-7", "1 in spool.sqlite3"]


def test_a_spool_that_was_never_used_is_not_made(tmp_path):
    report = spool_report(tmp_path / "none")
    assert (report["waiting"], report["error"]) == (0, None)
    assert not (tmp_path / "none").exists()
    assert spool_report(None)["directory"] is None


def test_a_spool_that_cannot_be_read_is_left_as_it_is(tmp_path):
    (tmp_path / "spool.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 10)
    report = spool_report(tmp_path)
    assert "not a database" in report["error"]
    with (
        closing(sqlite3.connect(tmp_path / "spool.sqlite3")) as database,
        pytest.raises(sqlite3.DatabaseError),
    ):
        database.execute("SELECT 1 FROM spooled")


def test_the_process_prints_one_json_object(processes, tmp_path):
    process = processes.start(
        "-m", "ingress.diagnostics", name="out", HOOKYARD_SPOOL_DIR=str(tmp_path / "none")
    )
    assert process.wait(30) == 0
    assert json.loads(processes.log("out"))["waiting"] == 0
