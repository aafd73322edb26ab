"""``schedules`` and ``breakers``, as an operator sees them."""

from __future__ import annotations

import time

from hookyard.ledger import schedules
from hookyard.ledger.schedules import Schedule


async def test_schedules_are_listed_those_that_come_next_first(hookyard, client, ledger):
    assert "There is no schedule" in (await hookyard("schedules")).out
    now_ms = time.time_ns() // 1_000_000
    late = Schedule(cron="0 6 * * 1-5", timezone="Europe/Stockholm", looked_ms=0, next_ms=now_ms + 7_200_000)
    soon = Schedule(cron="* * * * *", timezone="UTC", looked_ms=0, last_ms=now_ms, next_ms=now_ms + 60_000)
    await schedules.write(client, ledger.keys, "bot:late", late)
    await schedules.write(client, ledger.keys, "bot:soon", soon)
    lines = (await hookyard("schedules")).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["bot:soon", "bot:late"]
    assert "none yet" in lines[2]
    assert [one["name"] for one in (await hookyard("schedules", "--json")).json["schedules"]] == [
        "bot:soon",
        "bot:late",
    ]


async def test_one_that_the_bot_does_not_have_any_more_can_be_forgotten(hookyard, client, ledger):
    gone = Schedule(cron="* * * * *", timezone="UTC", looked_ms=0)
    await schedules.write(client, ledger.keys, "bot:gone", gone)
    assert "bot:gone" not in (await hookyard("schedules", "--forget", "bot:gone")).out
    run = await hookyard("schedules", "--forget", "bot:gone")
    assert run.code != 0
    assert "there is no schedule bot:gone" in run.err


async def test_stopped_loops_are_listed_and_lifted(hookyard, client, ledger):
    assert "No loop was stopped" in (await hookyard("breakers")).out
    await client.hset(ledger.keys.tripped, "bot:close\ngroup/app!7", 1)
    await client.hset(ledger.keys.tripped, "bot:close\ngroup/app!8", 2)
    listed = (await hookyard("breakers")).out
    assert "group/app!7" in listed
    assert "group/app!8" in listed
    run = await hookyard("breakers", "--lift", "nothing")
    assert (run.code, "no loop was stopped for nothing" in run.err) == (1, True)
    assert "They run again" in (await hookyard("breakers", "--lift", "group/app!7")).out
    assert [one["object"] for one in (await hookyard("breakers", "--json")).json["breakers"]] == [
        "group/app!8"
    ]
