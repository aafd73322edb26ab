from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys

import msgspec
import pytest
from rich.console import Console

from hookyard.cli.output import tables
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Ending, Outcome, State
from tests.hookyard.cli.conftest import an_attempt, process_environment

ID = "3f6c2b1a-1111-2222-3333-444455556666"


def shown(thing, width):
    """What a terminal of that many columns shows."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False).print(thing)
    return out.getvalue()


async def test_an_empty_list_says_what_to_do_next(hookyard):
    run = await hookyard("deliveries")
    assert run.code == 0
    assert "hookyard send issue-open" in run.out
    assert (await hookyard("deliveries", "--json")).json == {"deliveries": [], "next_cursor": None}


async def test_filters_that_nothing_matches_say_how_many_there_are(hookyard, keep):
    await keep("d-1")
    run = await hookyard("deliveries", "--project", "nowhere")
    assert "None of 1 delivery matches" in run.out


async def test_a_list_has_every_state_with_what_comes_next_or_went_wrong(hookyard, keep):
    for state in State:
        await keep(f"d-{state.value}", state, project="group/app", object="!12")
    run = await hookyard("deliveries")
    lines = {line.split()[0]: line for line in run.out.splitlines()[1:]}
    assert set(lines) == {f"d-{state.value}" for state in State}
    assert all("Push" in line and "group/app !12" in line for line in lines.values())
    assert re.search(r"in \d+ s: bot:second: ValueError: no moon", lines["d-retrying"])
    assert "bot:second: ValueError: no moon" in lines["d-failed"]


async def test_the_json_of_a_list_keeps_its_field_names(hookyard, keep):
    await keep("d-1", State.RETRYING, project="group/app", object="#7")
    (one,) = (await hookyard("deliveries", "--json")).json["deliveries"]
    assert list(one) == [
        "id",
        "state",
        "event",
        "project",
        "object",
        "source",
        "received",
        "runs",
        "next_due",
        "lease_ends",
        "worker",
        "finished",
        "error",
    ]
    assert (one["state"], one["project"], one["object"]) == ("retrying", "group/app", "#7")
    assert one["received"].endswith("Z")
    assert one["next_due"].endswith("Z")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--state", "failed"], ["d-2"]),
        (["--event", "merge"], ["d-3"]),
        (["--project", "APP"], ["d-2"]),
        (["--handler", "bot:SECOND"], ["d-2", "d-1"]),
        (["--error", "moon"], ["d-2"]),
        (["--since", "10m"], ["d-3", "d-2"]),
        (["--until", "10m"], ["d-1"]),
        (["--limit", "1"], ["d-3"]),
    ],
)
async def test_filters_narrow_the_list(hookyard, keep, options, expected):
    import time

    await keep("d-1", State.SUCCEEDED, received_ms=time.time_ns() // 1_000_000 - 3_600_000)
    await keep("d-2", State.FAILED, project="group/app")
    await keep("d-3", State.IGNORED, event="Merge Request Hook", received_ms=time.time_ns() // 1_000_000 + 5)
    run = await hookyard("deliveries", "--json", *options)
    assert [one["id"] for one in run.json["deliveries"]] == expected


async def test_a_cursor_leads_through_all_pages(hookyard, keep):
    for number in range(5):
        await keep(f"d-{number}", received_ms=1_700_000_000_000 + number)
    seen, cursor = [], None
    while True:
        page = (
            await hookyard("deliveries", "--json", "--limit", "2", *(["--cursor", cursor] if cursor else []))
        ).json
        seen += [one["id"] for one in page["deliveries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["d-4", "d-3", "d-2", "d-1", "d-0"]
    assert "--cursor 1700000000003:d-3" in (await hookyard("deliveries", "--limit", "2")).out


@pytest.mark.parametrize(
    "options",
    [["--since", "soon"], ["--until", "x"], ["--state", "lost"], ["--cursor", "x"], ["--limit", "0"]],
)
async def test_options_that_cannot_be_read_are_wrong_use(hookyard, options):
    run = await hookyard("deliveries", *options)
    assert run.code == 2
    assert run.err
    assert not run.out


@pytest.mark.parametrize("name", ["deliveries", "replay", "discard"])
async def test_a_state_that_there_is_not_is_named_with_the_one_that_was_meant(hookyard, name):
    run = await hookyard(name, "--state", "failled")
    assert run.code == 2
    assert run.err.startswith("--state failled: did you mean failed? The states are queued, ")
    assert "Value error" not in run.err


@pytest.mark.parametrize("width", [60, 80, 140])
async def test_ids_are_whole_in_a_terminal_of_any_width(listing, keep, width):
    await keep(
        ID,
        State.RETRYING,
        project="a-rather-long-group/with-a-rather-long-project",
        event="Merge Request Hook",
    )
    page = await listing.page(Filter(), limit=5)
    text = shown(tables.page(page, now_ms=page.records[0].delivery.received_ms, width=width), width)
    assert ID in text
    assert max(len(line) for line in text.splitlines()) <= width


async def test_what_a_sender_wrote_cannot_steer_the_terminal(hookyard, keep):
    await keep("d-1", project="evil\x1b]0;title\x07\u202e[bold]", event="Push\x1b[31m Hook")
    for arguments in (["deliveries"], ["show", "d-1"]):
        run = await hookyard(*arguments)
        assert not set(run.out) & {"\x1b", "\x07", "\u202e"}
        assert "[bold]" in run.out


async def test_show_tells_each_run_and_each_attempt(hookyard, keep):
    attempts = (
        an_attempt("bot:first", failed=False),
        an_attempt(),
        an_attempt("bot:third", traceback="Last one"),
    )
    await keep("d-1", State.FAILED, attempts=attempts, authenticated_by="secret token 1 (…9f86)", object="#7")
    run = await hookyard("show", "d-1")
    assert run.code == 0
    for expected in (
        "failed",
        "Push Hook",
        "#7",
        "secret token 1 (…9f86)",
        "x-gitlab-event-uuid: 11111111-2222-3333-4444-555555555555",
        "Run 1",
        "settled",
        "worker w-1",
        "✓ bot:first  succeeded after 12 ms",
        "✗ bot:second  failed after 12 ms  (attempt 1, not retried)",
        "ValueError: no moon",
        "Last one",
        "hookyard replay d-1 --failed-only",
    ):
        assert expected in run.out
    assert "Traceback: no moon" not in run.out
    assert "Traceback: no moon" in (await hookyard("show", "d-1", "--traceback")).out


async def test_show_tells_of_workers_that_died_and_tries_that_were_handed_back(
    hookyard, keep, ledger, listing
):
    await keep("d-1", State.QUEUED)
    await ledger.claim(worker="victim", limit=1)
    await ledger.redis.zadd(ledger.keys.queue, {"d-1": 1.5})  # its lease is over
    await ledger.claim(worker="heir", limit=1)
    run = await hookyard("show", "d-1")
    assert "crashed (its worker disappeared)" in run.out
    assert "worker victim" in run.out
    assert "Its lease ends in" in run.out
    await keep("d-2", State.FAILED, ending=Ending.RELEASED)
    assert "released" in (await hookyard("show", "d-2")).out


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.QUEUED, "It has been waiting for a worker"),
        (State.RETRYING, "It runs again in 3"),
        (State.SUCCEEDED, "every handler succeeded"),
        (State.IGNORED, "no handler is registered for this event"),
    ],
)
async def test_show_ends_with_what_comes_next(hookyard, keep, state, expected):
    await keep("d-1", state)
    assert expected in (await hookyard("show", "d-1")).out.partition("What happens next")[2]


async def test_show_as_json_tells_the_whole_story(hookyard, keep):
    await keep("d-1", State.RETRYING)
    story = (await hookyard("show", "d-1", "--json")).json
    assert story["history"][0]["attempts"][0]["traceback"] == "Traceback: no moon"
    assert story["handlers"][0]["outcome"] == "failed"
    assert story["size_bytes"] == len(b'{"object_kind": "push"}')
    assert "body" not in story
    assert (await hookyard("show", "d-1", "--json", "--body")).json["body"] == '{"object_kind": "push"}'


async def test_a_body_is_printed_byte_for_byte_into_a_pipe(command, keep, redis_url, nowhere):
    body = b'{"b":1,\r\n "a":\t"\xff\x1b"}'
    await keep("d-1", body=body)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hookyard.cli.main", "show", "d-1", "--body"],
        env=process_environment(REDIS_URL=redis_url),
        capture_output=True,
        check=True,
    )
    assert done.stdout == body


async def test_a_body_that_is_no_text_is_base64_in_json(hookyard, keep):
    await keep("d-1", body=b"\xff\x00")
    story = (await hookyard("show", "d-1", "--json", "--body")).json
    assert (story["body"], story["body_base64"]) == (None, "/wA=")


async def test_the_beginning_of_an_id_will_do(hookyard, keep):
    await keep(ID)
    await keep("3f6c9999-aaaa")
    assert (await hookyard("show", "3f6c2", "--json")).json["id"] == ID
    run = await hookyard("show", "3f6c")
    assert run.code == 1
    assert "2 ids begin with 3f6c" in run.err
    assert ID in run.err


@pytest.mark.parametrize("typed", ["d-9", "3f6", "nothing-like-it"])
async def test_an_unknown_id_is_one_line_and_exit_code_1(hookyard, keep, typed):
    await keep(ID)
    run = await hookyard("show", typed)
    assert run.code == 1
    assert f"There is no delivery {typed}" in run.err
    assert len(run.err.splitlines()) == 1


async def test_a_record_of_a_newer_version_is_said_in_words(hookyard, keep, client):
    await keep("d-1")
    await client.hset("hookyard:delivery:d-1", "meta", b"\xc1")
    run = await hookyard("show", "d-1")
    assert run.code == 1
    assert "d-1" in run.err


async def test_stats_count_by_state_and_tell_how_long_the_oldest_waits(hookyard, keep):
    assert "No delivery is waiting." in (await hookyard("stats")).out
    await keep("d-1", State.FAILED)
    await keep("d-2")
    run = await hookyard("stats")
    assert "The oldest waiting delivery has been due for" in run.out
    stats = (await hookyard("stats", "--json")).json
    assert (stats["total"], stats["states"]["failed"], stats["states"]["queued"]) == (2, 1, 1)
    assert stats["oldest_due"].endswith("Z")


async def test_a_workers_own_cron_jobs_are_not_deliveries_that_wait(hookyard, client):
    await client.zadd("hookyard:queue", {"cron:hookyard-prune:1": 1})
    run = await hookyard("stats")
    await client.delete("hookyard:queue")
    assert "No delivery is waiting." in run.out


async def test_the_quarantine_is_shown(hookyard, keep, ledger):
    await keep("d-1", State.RUNNING)
    record = await ledger.redis.hget(ledger.keys.delivery("d-1"), "token")
    await ledger.confirm("d-1", record.decode())
    await ledger.redis.zadd(ledger.keys.queue, {"d-1": 1.5})  # its worker died a while ago
    await ledger.claim(worker="heir", limit=1)
    assert "Quarantined, because their worker died: 1. Each runs alone." in (await hookyard("stats")).out
    assert (await hookyard("stats", "--json")).json["quarantined"] == 1
    shown = (await hookyard("show", "d-1")).out
    assert "quarantined  since" in shown
    assert "it runs alone" in shown


async def test_show_tells_every_outcome_that_there_is(hookyard, keep):
    attempts = tuple(
        msgspec.structs.replace(an_attempt(f"bot:{outcome.name.lower()}"), outcome=outcome)
        for outcome in Outcome
    )
    await keep("d-1", State.FAILED, attempts=attempts)
    shown = (await hookyard("show", "d-1")).out
    for outcome in Outcome:
        assert f"bot:{outcome.name.lower()}  {outcome.value} after" in shown
