"""Reading the ledger: one delivery, pages of them, counts.

Nothing here changes anything, and nothing scans Redis: pages walk the sorted sets. A page costs as
much with a million deliveries as with ten, unless a filter has to pass over many that do not match.
No MULTI: a full Redis refuses it even for reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hookyard.ledger.codec import unpack_record
from hookyard.ledger.query import Filter, Page, Stats
from hookyard.ledger.records import FINISHED, State
from hookyard.ledger.retention import DAY_MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys
    from hookyard.ledger.records import Record

LIST_FIELDS: Final = [
    b"meta",
    b"state",
    b"runs",
    b"claims",
    b"crashes",
    b"worker",
    b"claimed",
    b"finished",
    b"error",
    b"round_from",
    b"done_from",
    b"quarantined",
    b"dropped",
]
_WALK: Final = 200
_IN_QUARANTINE: Final = "quarantine@"


class Listing:
    """Reads the deliveries of one installation."""

    def __init__(self, redis: ArqRedis, keys: LedgerKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def get(self, delivery_id: str) -> Record | None:
        """Return the whole record, or ``None`` when there is none.

        :raises ValueError: when a newer version of Hookyard wrote it.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._keys.delivery(delivery_id))
            pipe.zscore(self._keys.queue, delivery_id)
            pipe.zscore(self._keys.quarantine, delivery_id)
            fields, queued, quarantined = await pipe.execute()
        return unpack_record(delivery_id, fields, earliest_ms(queued, quarantined)) if fields else None

    async def page(self, wanted: Filter, *, limit: int, cursor: str | None = None) -> Page:
        """Return up to *limit* deliveries that *wanted* means, newest first, without their bodies.

        :param cursor: ``next_cursor`` of the page before.
        """
        records: list[Record] = []
        last = ""
        async for record, place in self._walk(wanted, cursor):
            if len(records) == limit:
                return Page(records=tuple(records), next_cursor=last)
            records.append(record)
            last = place
        return Page(records=tuple(records), next_cursor=None)

    async def all_ids(self, wanted: Filter) -> list[str]:
        """Return the ids of all deliveries that *wanted* means, newest first, for a bulk order."""
        return [record.delivery.id async for record, _ in self._walk(wanted, None)]

    async def stats(self) -> Stats:
        """Return the counts by state and the age of the queue."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._keys.states)
            pipe.zcard(self._keys.received)
            pipe.zrange(self._keys.queue, 0, 0, withscores=True)
            pipe.zcard(self._keys.quarantine)
            pipe.time()
            counts, total, oldest, quarantined, (seconds, micros) = await pipe.execute()
        return Stats(
            states={state: int(counts.get(state.value.encode(), 0)) for state in State},
            total=total,
            oldest_due_ms=earliest_ms(oldest[0][1]) if oldest else None,
            now_ms=seconds * 1000 + micros // 1000,
            quarantined=quarantined,
        )

    async def received_per_day(self) -> float:
        """Return the rate of receipt over the last day, or since the oldest delivery that is kept."""
        seconds, _ = await self._redis.time()
        now_ms = seconds * 1000
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zcount(self._keys.received, now_ms - DAY_MS, "+inf")
            pipe.zrange(self._keys.received, 0, 0, withscores=True)
            count, oldest = await pipe.execute()
        span_ms = min(DAY_MS, max(1, now_ms - int(oldest[0][1]))) if oldest else DAY_MS
        return float(count * DAY_MS / span_ms)

    async def _walk(self, wanted: Filter, cursor: str | None) -> AsyncIterator[tuple[Record, str]]:
        """Yield what matches with the cursor that leads past it, newest first, from after *cursor*."""
        place = cursor or ""
        for key, low, high in self._spans(wanted):
            mark = _IN_QUARANTINE if key == self._keys.quarantine else ""
            if place.startswith(_IN_QUARANTINE) and not mark:
                continue
            async for record, score in self._walk_set(wanted, key, low, high, place.removeprefix(mark)):
                yield record, f"{mark}{int(score)}:{record.delivery.id}"
            place = ""

    async def _walk_set(
        self, wanted: Filter, key: str, low: str, high: str, after: str
    ) -> AsyncIterator[tuple[Record, float]]:
        score, _, last_id = after.partition(":")
        offset = 0
        if last_id:
            rank = await self._redis.zrevrank(key, last_id)
            offset = rank + 1 if rank is not None else await self._redis.zcount(key, f"({score}", "+inf")
        elif high != "+inf":
            offset = await self._redis.zcount(key, f"({high}", "+inf")
        while True:
            entries = await self._redis.zrevrange(key, offset, offset + _WALK - 1, withscores=True)
            if not entries:
                return
            offset += len(entries)
            records = await self._heads([entry.decode(errors="replace") for entry, _ in entries], wanted)
            for record, (_, place) in zip(records, entries, strict=True):
                if low != "-inf" and place < float(low):
                    return
                if record is not None and wanted.matches(record):
                    yield record, place

    def _spans(self, wanted: Filter) -> list[tuple[str, str, str]]:
        """Return the sorted sets to walk, and their ranges; only ``received`` is in order of receipt."""
        if wanted.state is State.FAILED:
            return [(self._keys.failed, "-inf", "+inf")]
        if wanted.state is State.QUEUED:
            return [(self._keys.queue, "-inf", "+inf"), (self._keys.quarantine, "-inf", "+inf")]
        if wanted.state is not None and wanted.state not in FINISHED:
            return [(self._keys.queue, "-inf", "+inf")]
        low = "-inf" if wanted.since_ms is None else str(wanted.since_ms)
        high = "+inf" if wanted.until_ms is None else str(wanted.until_ms)
        return [(self._keys.received, low, high)]

    async def _heads(self, ids: Sequence[str], wanted: Filter) -> list[Record | None]:
        """Return the records without bodies; with their history only where the filter asks for it."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for delivery_id in ids:
                if wanted.handler is None:
                    pipe.hmget(self._keys.delivery(delivery_id), LIST_FIELDS)
                else:
                    pipe.hgetall(self._keys.delivery(delivery_id))
                pipe.zscore(self._keys.queue, delivery_id)
                pipe.zscore(self._keys.quarantine, delivery_id)
            answers = await pipe.execute()
        records: list[Record | None] = []
        for delivery_id, found, queued, quarantined in zip(
            ids, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            fields = found if isinstance(found, dict) else dict(zip(LIST_FIELDS, found, strict=True))
            fields = {name: value for name, value in fields.items() if value is not None}
            try:
                records.append(
                    unpack_record(delivery_id, fields, earliest_ms(queued, quarantined)) if fields else None
                )
            except (ValueError, KeyError):  # a newer version's: `show` says so, a list passes over it
                records.append(None)
        return records


def earliest_ms(*scores: float | None) -> int | None:
    """Return the first score that there is."""
    return next((int(score) for score in scores if score is not None), None)
