"""What operators read of the ledger, against a real Redis."""

from __future__ import annotations

import pytest

from hookyard.ledger.claims import Settlement
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Attempt, Ending, Outcome, Run, State
from tests.fakes import a_delivery


@pytest.fixture
async def filled(ledger):
    """Ten deliveries, received a second apart; the last two stay queued."""
    for number in range(10):
        await ledger.accept(
            a_delivery(
                f"d-{number}",
                event="Issue Hook" if number % 2 else "Push Hook",
                received_ms=1_000_000 + number * 1000,
                project="group/app" if number < 5 else "group/other",
            )
        )
    claims = await ledger.claim(worker="w", limit=8)
    for record in claims.records:
        number = int(record.delivery.id[2:])
        failed = number < 3
        attempt = Attempt(
            handler="bot:greet",
            outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
            number=1,
            started_ms=1,
            took_ms=1,
            final=True,
        )
        await ledger.settle(
            Settlement(
                delivery_id=record.delivery.id,
                token=record.token,
                state=State.FAILED if failed else State.SUCCEEDED,
                error="ValueError: Boom" if failed else None,
                run=Run(number=1, worker="w", started_ms=1, ending=Ending.SETTLED, attempts=(attempt,)),
            )
        )
    return ledger


async def ids(listing, limit=100, **wanted):
    return [record.delivery.id for record in (await listing.page(Filter(**wanted), limit=limit)).records]


async def test_the_newest_come_first(filled, listing):
    assert await ids(listing) == [f"d-{number}" for number in reversed(range(10))]


async def test_pages_follow_each_other_without_gap_or_repeat(filled, listing):
    seen, cursor = [], None
    while True:
        page = await listing.page(Filter(), limit=3, cursor=cursor)
        seen += [record.delivery.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"d-{number}" for number in reversed(range(10))]


async def test_a_page_follows_even_if_its_predecessors_last_delivery_is_gone(filled, listing):
    page = await listing.page(Filter(), limit=3)
    await filled.discard(["d-7"])
    assert (await listing.page(Filter(), limit=2, cursor=page.next_cursor)).records[0].delivery.id == "d-6"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"state": State.FAILED}, {"d-0", "d-1", "d-2"}),
        ({"state": State.QUEUED}, {"d-8", "d-9"}),
        ({"state": State.RUNNING}, set()),
        ({"event": "issue"}, {"d-1", "d-3", "d-5", "d-7", "d-9"}),
        ({"project": "other"}, {"d-5", "d-6", "d-7", "d-8", "d-9"}),
        ({"error": "boom"}, {"d-0", "d-1", "d-2"}),
        ({"since_ms": 1_007_000}, {"d-7", "d-8", "d-9"}),
        ({"until_ms": 1_001_000}, {"d-0", "d-1"}),
        ({"since_ms": 1_002_000, "until_ms": 1_003_000}, {"d-2", "d-3"}),
        ({"handler": "greet"}, {f"d-{number}" for number in range(8)}),
        ({"handler": "greet", "state": State.FAILED}, {"d-0", "d-1", "d-2"}),
        ({"state": State.SUCCEEDED, "event": "push", "project": "app"}, {"d-4"}),
    ],
)
async def test_filters_hold_together(filled, listing, wanted, expected):
    assert set(await ids(listing, **wanted)) == expected
    assert set(await listing.all_ids(Filter(**wanted))) == expected


async def test_counts_follow_the_states(filled, listing):
    stats = await listing.stats()
    assert stats.states == {
        State.QUEUED: 2,
        State.RUNNING: 0,
        State.WAITING: 0,
        State.RETRYING: 0,
        State.SUCCEEDED: 5,
        State.IGNORED: 0,
        State.FAILED: 3,
    }
    assert (stats.total, stats.oldest_due_ms) == (10, 1_008_000)


async def test_the_rate_of_receipt_is_per_day(ledger, listing):
    assert await listing.received_per_day() == 0
    now_ms = a_delivery().received_ms
    for number, age_h in enumerate((0, 1, 2, 12, 23, 25, 72)):
        await ledger.accept(a_delivery(f"d-{number}", received_ms=now_ms - age_h * 3_600_000))
    assert await listing.received_per_day() == 5


async def test_what_is_not_there_is_none(listing):
    assert await listing.get("nope") is None
