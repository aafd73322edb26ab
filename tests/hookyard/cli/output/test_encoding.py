"""Output in a terminal whose encoding lacks the characters: replaced, never a traceback."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.ledger.records import State


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
async def test_every_report_can_be_printed(command, keep, redis_url, encoding):
    await keep("d-1", State.FAILED, project="庭/水")
    environment = {"REDIS_URL": redis_url, "PYTHONIOENCODING": encoding}
    for arguments in (["deliveries"], ["show", "d-1"], ["--help"], ["check"]):
        run = await asyncio.to_thread(command, *arguments, **environment)
        assert "Traceback" not in run.err
    listed = (await asyncio.to_thread(command, "deliveries", **environment)).out
    assert ("庭/水" if encoding == "utf-8" else "?/?") in listed
    shown = (await asyncio.to_thread(command, "show", "d-1", **environment)).out
    assert ("✗ bot:second" if encoding == "utf-8" else "x bot:second") in shown


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
async def test_json_loses_nothing(command, keep, redis_url, encoding):
    await keep("d-1", project="庭/水")
    environment = {"REDIS_URL": redis_url, "PYTHONIOENCODING": encoding}
    run = await asyncio.to_thread(command, "deliveries", "--json", **environment)
    assert run.json["deliveries"][0]["project"] == "庭/水"
