"""Searching by indexes gives what looking at every delivery gives, whatever the filter and the page."""

from __future__ import annotations

import random

import pytest

from hookyard.ledger import search as search_module
from hookyard.ledger.claims import Settlement
from hookyard.ledger.fingerprints import fingerprint
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Attempt, Ending, Outcome, Run, State
from hookyard.ledger.search import Search
from tests.fakes import a_delivery

EVENTS = ["Push Hook", "Tag Push Hook", "Issue Hook"]
PROJECTS = ["group/app", "group/app-two", "other/app", None]
HANDLERS = ["bot:greet", "bot:label"]


@pytest.fixture
def search(ledger):
    return Search(ledger.redis, ledger.keys)


@pytest.fixture
async def varied(ledger):
    """Some hundred deliveries in every state; several were received in the same millisecond."""
    chance = random.Random(5)
    for number in range(300):
        project = chance.choice(PROJECTS)
        await ledger.accept(
            a_delivery(
                f"d-{number:03}",
                event=chance.choice(EVENTS),
                received_ms=1_000_000 + number // 7 * 1000,
                project=project,
                object=chance.choice(["!1", "#2", None]) if project else None,
                source=chance.choice(["default", "default", "second"]),
            )
        )
    for _ in range(3):
        await run_some(ledger, chance, limit=150)
        await ledger.replay([f"d-{chance.randrange(300):03}" for _ in range(30)], what="failed", now_ms=1)
    await ledger.discard([f"d-{chance.randrange(300):03}" for _ in range(20)])
    return ledger


async def run_some(ledger, chance, *, limit):
    claims = await ledger.claim(worker="w", limit=limit)
    for record in claims.records[:-5]:  # the last ones stay running
        attempts = []
        for handler in chance.sample(HANDLERS, chance.randrange(1, 3)):
            failed = chance.random() < 0.3
            error = f"ValueError: no label {chance.randrange(99)}" if failed else None
            attempts.append(
                Attempt(
                    handler=handler,
                    outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
                    number=1,
                    started_ms=1,
                    took_ms=chance.randrange(900),
                    final=True,
                    error=error,
                    fingerprint=fingerprint(handler, error, None) if failed else None,
                )
            )
        done = {attempt.handler for attempt in attempts}
        run = Run(
            number=record.claims,
            worker="w",
            started_ms=1,
            ending=Ending.SETTLED,
            attempts=tuple(attempts),
            carried=tuple(one for name, one in record.standings().items() if name not in done),
        )
        failed = any(one.outcome is Outcome.FAILED for one in run.standings().values())
        state = chance.choice([State.FAILED, State.RETRYING]) if failed else State.SUCCEEDED
        await ledger.settle(
            Settlement(
                delivery_id=record.delivery.id,
                token=record.token,
                state=state,
                delay_ms=60_000,
                error="ValueError: no label 7" if failed else None,
                run=run,
            )
        )


async def everything(client, listing):
    """Every record, newest first, as Search orders them."""
    ids = [one.decode() for one in await client.zrange("hookyard:received", 0, -1)]
    records = [await listing.get(one) for one in ids]
    return sorted(records, key=lambda one: (one.delivery.received_ms, one.delivery.id), reverse=True)


def is_exact(record, given):
    """A value that is known as it stands means no other that contains it."""
    known = {one.casefold() for one in (*EVENTS, *filter(None, PROJECTS))}
    return all(
        getattr(record.delivery, facet).casefold() == given[facet].casefold()
        for facet in ("event", "project")
        if given.get(facet, "").casefold() in known
    )


async def pages(search, wanted, limit):
    found, cursor = [], None
    while True:
        page = await search.page(wanted, limit=limit, cursor=cursor)
        found += [record.delivery.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            return found


WANTED = [
    {},
    {"event": "push hook"},
    {"event": "push"},
    {"event": "Issue Hook", "project": "group/app"},
    {"project": "group/app"},
    {"project": "app"},
    {"object": "!1"},
    {"object": "group/app!1"},
    {"object": "!1", "project": "other/app"},
    {"source": "second"},
    {"source": "default", "event": "Push Hook"},
    {"handler": "bot:greet"},
    {"handler": "bot"},
    {"handler": "bot:greet", "outcome": Outcome.FAILED},
    {"outcome": Outcome.FAILED},
    {"fingerprint": fingerprint("bot:label", "ValueError: no label 1", None)},
    {"text": "LABEL"},
    {"text": "!1"},
    {"error": "no label"},
    {"since_ms": 1_010_000, "until_ms": 1_030_000},
    {"since_ms": 1_010_000, "until_ms": 1_030_000, "event": "Tag Push Hook"},
    *({"state": state} for state in State),
    {"state": State.FAILED, "handler": "bot:label"},
    {"state": State.RUNNING, "project": "group/app"},
    {"event": "no such event"},
]


async def test_every_filter_finds_what_a_look_at_every_delivery_finds(varied, search, client, listing):
    records = await everything(client, listing)
    found_any = 0
    for given in WANTED:
        wanted = Filter(**given)
        expected = [one.delivery.id for one in records if wanted.matches(one) and is_exact(one, given)]
        for limit in (7, 500):
            assert await pages(search, wanted, limit) == expected, (given, limit)
        count = await search.count(wanted)
        assert count in {None, len(expected)}, given
        found_any += bool(expected)
    assert found_any >= len(WANTED) - 4


async def test_counts_of_single_facets_are_exact(varied, search, client, listing):
    records = await everything(client, listing)
    for given in (
        {},
        {"event": "Push Hook"},
        {"state": State.FAILED},
        {"project": "group/app", "since_ms": 1_010_000},
        {"handler": "bot:greet", "outcome": Outcome.FAILED},
    ):
        wanted = Filter(**given)
        expected = [one for one in records if wanted.matches(one) and is_exact(one, given)]
        assert await search.count(wanted) == len(expected), given


async def test_a_page_examines_only_so_many_and_the_next_goes_on_from_there(
    varied, search, client, listing, monkeypatch
):
    monkeypatch.setattr(search_module, "MOST_EXAMINED", 50)
    wanted = Filter(text="d-001")
    first = await search.page(wanted, limit=10)
    assert first.records == ()
    assert first.searched_to_ms is not None
    assert await pages(search, wanted, 10) == ["d-001"]


async def test_what_a_large_index_dropped_is_still_found(ledger, search, client):
    """The indexes hold ten thousand each; what is older is found by walking all."""
    total = 10_400
    for start in range(0, total, 200):
        for number in range(start, start + 200):
            future = ledger.accept(
                a_delivery(f"d-{number:05}", event="Push Hook", received_ms=1_000 + number, body=b"{}")
            )
        await future
    assert await client.zcard(ledger.keys.by + "event:Push Hook") <= 10_100
    assert await search.count(Filter(event="Push Hook")) is None
    oldest = await search.page(Filter(event="Push Hook", until_ms=1_050), limit=100)
    assert [one.delivery.id for one in oldest.records] == [f"d-{number:05}" for number in range(50, -1, -1)]
    across = await search.page(Filter(event="Push Hook", until_ms=1_500), limit=400)
    assert [one.delivery.id for one in across.records] == [f"d-{number:05}" for number in range(500, 100, -1)]


async def test_known_values_go_with_their_last_delivery(ledger, search):
    await ledger.accept(a_delivery("d-1", event="Push Hook", project="group/app"))
    await ledger.accept(a_delivery("d-2", event="Issue Hook", project="group/app"))
    assert await search.values("event") == ["Issue Hook", "Push Hook"] or await search.values(
        "event", "push"
    ) == ["Push Hook"]
    await ledger.discard(["d-1"])
    assert await search.values("event") == ["Issue Hook"]
    assert await search.values("project") == ["group/app"]
    await ledger.discard(["d-2"])
    assert await search.values("project") == []


@pytest.mark.parametrize("cursor", ["", "x", "12", "quarantine@1:d"])
async def test_a_cursor_that_is_none_is_refused(search, cursor):
    with pytest.raises(ValueError, match="not a cursor"):
        await search.page(Filter(), limit=1, cursor=cursor)
