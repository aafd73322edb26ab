"""Search the ledger by its secondary indexes: pages, counts and known values, whatever its size.

The smallest index that a filter allows is walked from the newest delivery on, and the other conditions are
checked on each record. One page examines at most ``MOST_EXAMINED`` deliveries: where it ends before it is
full, it says how far back it has looked, and its cursor goes on from there. An index drops its oldest members
when it grows large; from there on ``received`` is walked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

from hookyard.ledger.codec import unpack_record
from hookyard.ledger.query import Filter
from hookyard.ledger.reader import LIST_FIELDS, earliest_ms
from hookyard.ledger.records import Outcome, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence

    from arq.connections import ArqRedis

    from hookyard.ledger.keys import LedgerKeys
    from hookyard.ledger.records import Record

MOST_EXAMINED: Final = 2000
MOST_VALUES: Final = 2000
"""As many values of a facet are known, the latest ones (``scripts/index.lua``)."""

LONGEST_VALUE: Final = 300
_MOST_KEYS: Final = 24
_BATCH: Final = 100
_CURSOR: Final = re.compile(r"(\d{1,16}):(.{0,200})", re.DOTALL)
_OBJECT: Final = re.compile(r"(?P<project>.*?)(?P<object>[!#&$%~@].*)", re.DOTALL)
_INDEXED_STATES: Final = frozenset({State.IGNORED, State.FAILED, State.RETRYING, State.WAITING})
FACETS: Final = ("event", "project", "handler")
"""The facets whose values are known, for completion."""

Place = tuple[int, str]
"""Where a delivery stands in order: time of receipt (Unix ms) and id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One page of a search, newest first.

    ``searched_to_ms`` is how far back it looked, where it ended before the page was full.
    """

    records: tuple[Record, ...]
    next_cursor: str | None
    searched_to_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """How a search is carried out: which indexes are walked, and what is checked on each record.

    ``keys`` empty: ``received`` is walked. ``ids``: only these are looked at. ``cut_ms``: up to there the
    indexes are incomplete.
    """

    wanted: Filter
    keys: tuple[str, ...] = ()
    ids: tuple[Place, ...] | None = None
    cut_ms: int = -1
    allowed: dict[str, frozenset[str]] = field(default_factory=dict)
    is_empty: bool = False

    def matches(self, record: Record) -> bool:
        """Return whether *record* is meant."""
        delivery = record.delivery
        return (
            ("event" not in self.allowed or delivery.event in self.allowed["event"])
            and ("project" not in self.allowed or delivery.project in self.allowed["project"])
            and self.wanted.matches(record)
        )


class Search:
    """Searches the deliveries of one installation; nothing here changes anything."""

    def __init__(self, redis: ArqRedis, keys: LedgerKeys) -> None:
        self._redis = redis
        self._keys = keys

    async def page(self, wanted: Filter, *, limit: int, cursor: str | None = None) -> Found:
        """Return up to *limit* deliveries that *wanted* means, newest first, without their bodies.

        :param cursor: ``next_cursor`` of the page before.
        :raises ValueError: for a cursor that none of our pages ended with.
        """
        place = parse_cursor(cursor)
        plan = await self._plan(wanted)
        records: list[Record] = []
        examined = 0
        if plan.is_empty:
            return Found(records=(), next_cursor=None)
        async for batch in self._walk(plan, place):
            for (score, one), record in zip(batch, await self.heads([one for _, one in batch]), strict=True):
                if record is not None and plan.matches(record):
                    if len(records) == limit:
                        return Found(records=tuple(records), next_cursor=_cursor(place))
                    records.append(record)
                place = (score, one)
                examined += 1
                if examined >= MOST_EXAMINED:
                    return Found(records=tuple(records), next_cursor=_cursor(place), searched_to_ms=score)
        return Found(records=tuple(records), next_cursor=None)

    async def count(self, wanted: Filter) -> int | None:
        """Return exactly how many deliveries *wanted* means; ``None`` where that would take a search."""
        rest = replace(wanted, since_ms=None, until_ms=None)
        low, high = _bounds(wanted)
        if rest == Filter():
            return int(await self._redis.zcount(self._keys.received, low, high))
        if rest == Filter(state=rest.state) and (low, high) == ("-inf", "+inf") and rest.state:
            states = cast("Awaitable[bytes | None]", self._redis.hget(self._keys.states, rest.state.value))
            return int(await states or 0)
        alone = [
            Filter(event=rest.event),
            Filter(project=rest.project),
            Filter(source=rest.source),
            Filter(origin=rest.origin),
            Filter(fingerprint=rest.fingerprint),
            Filter(object=rest.object),
            Filter(handler=rest.handler, outcome=rest.outcome),
        ]
        plan = await self._plan(wanted)
        if plan.is_empty:
            return 0
        # a delivery may be in the indexes of several handlers
        is_disjoint = (rest.handler, rest.outcome) == (None, None) or (
            len(plan.keys) == 1 and rest.outcome is not None
        )
        if rest not in alone or not plan.keys or plan.cut_ms >= 0 or not is_disjoint:
            return None
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in plan.keys:
                pipe.zcount(key, low, high)
            sizes: list[int] = await pipe.execute()
        return sum(sizes)

    async def values(self, facet: str, text: str = "", *, limit: int = MOST_VALUES) -> list[str]:
        """Return values of *facet* that contain *text*, those met last first."""
        known = await self._redis.zrevrange(self._keys.values + facet, 0, MOST_VALUES - 1)
        wanted = text.casefold()
        decoded = (value.decode(errors="replace") for value in known)
        return [value for value in decoded if wanted in value.casefold()][:limit]

    async def heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the records without bodies, each with its latest run; ``None`` for one that is gone.

        A record that a newer version wrote counts as gone.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in ids:
                pipe.hmget(self._keys.delivery(one), LIST_FIELDS)
                pipe.zscore(self._keys.queue, one)
                pipe.zscore(self._keys.quarantine, one)
            answers = await pipe.execute() if ids else []
        heads = [
            {name: value for name, value in zip(LIST_FIELDS, found, strict=True) if value is not None}
            for found in answers[::3]
        ]
        await self._add_latest_runs(ids, heads)
        records: list[Record | None] = []
        for one, fields, queued, quarantined in zip(ids, heads, answers[1::3], answers[2::3], strict=True):
            try:
                records.append(
                    unpack_record(one, fields, earliest_ms(queued, quarantined)) if fields else None
                )
            except (ValueError, KeyError):
                records.append(None)
        return records

    async def _add_latest_runs(self, ids: Sequence[str], heads: list[dict[bytes, bytes]]) -> None:
        """Add the latest run that was written to each; it carries where every handler stands."""
        async with self._redis.pipeline(transaction=False) as pipe:
            names = []
            for one, fields in zip(ids, heads, strict=True):
                claims = int(fields.get(b"claims", b"0"))
                wanted = [f"run:{number}".encode() for number in (claims, claims - 1) if number > 0]
                names.append(wanted)
                pipe.hmget(self._keys.delivery(one), wanted or [b"state"])
            answers = await pipe.execute() if ids else []
        for fields, wanted, found in zip(heads, names, answers, strict=True):
            fields.update(
                {name: value for name, value in zip(wanted, found, strict=False) if value is not None}
            )

    # --- which index ----------------------------------------------------------------------------

    async def _plan(self, wanted: Filter) -> _Plan:
        allowed: dict[str, frozenset[str]] = {}
        choices: list[tuple[str, ...]] = []
        rest = wanted
        for facet in ("event", "project"):
            text: str | None = getattr(wanted, facet)
            if text is None:
                continue
            values, is_complete = await self._meant(facet, text)
            if not values and is_complete:
                return _Plan(wanted=wanted, is_empty=True)
            if values:
                allowed[facet] = frozenset(values)
                rest = replace(rest, **{facet: None})
                choices.append(tuple(self._index(facet, value) for value in values))
        if wanted.handler is not None or wanted.outcome is not None:
            values, is_complete = await self._meant("handler", wanted.handler or "")
            if not values and is_complete:
                return _Plan(wanted=wanted, is_empty=True)
            outcomes = [one.value for one in ([wanted.outcome] if wanted.outcome else list(Outcome))]
            keys = [self._index("handler", f"{one}:{value}") for value in values for one in outcomes]
            choices.append(tuple(keys))
        choices += self._single_choices(wanted, allowed.get("project"))
        choices = [choice for choice in choices if 0 < len(choice) <= _MOST_KEYS]
        plan = _Plan(wanted=rest, allowed=allowed)
        smallest = await self._smallest(choices, wanted)
        if wanted.state in {State.QUEUED, State.RUNNING}:
            ids = await self._unfinished(wanted.state)
            if ids is not None:
                return replace(plan, ids=ids)
        if smallest is None:
            return plan
        names = [key.removeprefix(self._keys.by) for key in smallest]
        cuts = await cast("Awaitable[list[bytes | None]]", self._redis.hmget(self._keys.cut, names))
        return replace(plan, keys=smallest, cut_ms=max((int(float(cut)) for cut in cuts if cut), default=-1))

    def _single_choices(self, wanted: Filter, projects: frozenset[str] | None) -> list[tuple[str, ...]]:
        choices: list[tuple[str, ...]] = []
        if wanted.fingerprint is not None:
            choices.append((self._index("error", wanted.fingerprint),))
        if wanted.source not in {None, "default"}:
            choices.append((self._index("source", str(wanted.source)),))
        if wanted.origin not in {None, "webhook"}:
            choices.append((self._index("origin", str(wanted.origin)),))
        if wanted.state in _INDEXED_STATES:
            choices.append((self._index("state", wanted.state.value),))
        found = _OBJECT.fullmatch(wanted.object) if wanted.object is not None else None
        if found is not None and found["project"]:
            choices.append((self._index("object", found[0]),))
        elif found is not None and projects is not None:
            choices.append(tuple(self._index("object", f"{one}{found[0]}") for one in projects))
        return choices

    def _index(self, facet: str, value: str) -> str:
        return f"{self._keys.by}{facet}:" + value.encode()[:LONGEST_VALUE].decode(errors="ignore")

    async def _meant(self, facet: str, text: str) -> tuple[list[str], bool]:
        """Return the known values that *text* means, and whether there can be no others.

        One that is known as it stands means itself alone; any other text, all values that contain it.
        """
        known = await self.values(facet)
        same = [value for value in known if value.casefold() == text.casefold()]
        part = text.casefold()
        return same or [value for value in known if part in value.casefold()], len(known) < MOST_VALUES

    async def _smallest(self, choices: Iterable[tuple[str, ...]], wanted: Filter) -> tuple[str, ...] | None:
        low, high = _bounds(wanted)
        chosen = list(choices)
        if not chosen:
            return None
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in (key for choice in chosen for key in choice):
                pipe.zcount(key, low, high)
            sizes = iter(await pipe.execute())
        return min((sum(next(sizes) for _ in choice), choice) for choice in chosen)[1]

    async def _unfinished(self, state: State) -> tuple[Place, ...] | None:
        """Return all that may be in *state*, newest first; ``None`` where these are too many to be read."""
        keys = self._keys
        seconds, micros = await self._redis.time()
        now_ms = seconds * 1000 + micros // 1000
        low, high = ("-inf", "+inf") if state is State.QUEUED else (now_ms - 60_000, "+inf")
        sets = (keys.queue, keys.quarantine) if state is State.QUEUED else (keys.queue,)
        ids: list[bytes] = []
        for key in sets:
            ids += await self._redis.zrangebyscore(key, low, high, start=0, num=MOST_EXAMINED + 1)
        if len(ids) > MOST_EXAMINED:
            return None
        scores = (
            await self._redis.zmscore(keys.received, [one.decode(errors="replace") for one in ids])
            if ids
            else []
        )
        places = [
            (int(score), one.decode(errors="replace"))
            for one, score in zip(ids, scores, strict=True)
            if score is not None
        ]
        return tuple(sorted(places, reverse=True))

    # --- walking --------------------------------------------------------------------------------

    async def _walk(self, plan: _Plan, after: Place | None) -> AsyncIterator[list[Place]]:
        """Yield candidates in batches, newest first, from after *after*."""
        wanted = plan.wanted
        if wanted.until_ms is not None and (after is None or after[0] > wanted.until_ms):
            after = (wanted.until_ms + 1, "")
        low = -1 if wanted.since_ms is None else wanted.since_ms
        if plan.ids is not None:
            batch = [place for place in plan.ids if place[0] >= low and (after is None or place < after)]
            for start in range(0, len(batch), _BATCH):
                yield batch[start : start + _BATCH]
            return
        if plan.keys and (after is None or after[0] > plan.cut_ms):
            async for batch in self._walk_keys(plan.keys, after, max(low, plan.cut_ms + 1)):
                yield batch
                after = batch[-1]
            if plan.cut_ms < 0:
                return
            after = (plan.cut_ms + 1, "")
        async for batch in self._walk_keys((self._keys.received,), after, low):
            yield batch

    async def _walk_keys(
        self, keys: tuple[str, ...], after: Place | None, low: int
    ) -> AsyncIterator[list[Place]]:
        size = _BATCH
        while True:
            places: set[Place] = set()
            for key in keys:
                places.update(await self._below(key, after, low, size))
            batch = sorted(places, reverse=True)[:size]
            if not batch:
                return
            yield batch
            after = batch[-1]

    async def _below(self, key: str, after: Place | None, low: int, size: int) -> list[Place]:
        """Return up to *size* members of *key* that come after *after*, as places."""
        high: str | int = "+inf" if after is None else after[0]
        offset = 0
        if after is not None and after[1]:
            # members with the score of the last one, down to it, come first again
            rank, above = await self._rank(key, after)
            offset = rank + 1 - above if rank is not None else 0
        elif after is not None:
            high = f"({after[0]}"
        while True:
            found = await self._redis.zrevrangebyscore(
                key, high, low, start=offset, num=size, withscores=True
            )
            places = [(int(score), one.decode(errors="replace")) for one, score in found]
            below = [place for place in places if after is None or place < after or not after[1]]
            if below or len(found) < size:
                return below
            offset += size

    async def _rank(self, key: str, place: Place) -> tuple[int | None, int]:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrevrank(key, place[1])
            pipe.zcount(key, f"({place[0]}", "+inf")
            rank, above = await pipe.execute()
        return (rank if rank is not None and rank >= above else None), above


def parse_cursor(text: str | None) -> Place | None:
    """Return the place that a cursor names.

    :raises ValueError: when it is none of ours.
    """
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ValueError("not a cursor: a page that goes on names the one to continue with")
    return int(found[1]), found[2]


def _cursor(place: Place | None) -> str | None:
    return None if place is None else f"{place[0]}:{place[1]}"


def _bounds(wanted: Filter) -> tuple[str, str]:
    return (
        "-inf" if wanted.since_ms is None else str(wanted.since_ms),
        "+inf" if wanted.until_ms is None else str(wanted.until_ms),
    )
