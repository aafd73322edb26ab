"""What must hold in Redis at any moment: the ledger's books balance, and no key is left behind."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hookyard.ledger.codec import unpack_record
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.records import Ending

UNFINISHED = {"queued", "running", "waiting", "retrying"}
DONE = {"succeeded", "ignored"}
_EXPIRING = (
    *("arq:in-progress:", "arq:retry:"),
    *("hookyard:probe", "hookyard:queue:health-check", "hookyard:workers", "hookyard:watch"),
    *("hookyard:failure:", "hookyard:minutes:", "hookyard:hours:", "hookyard:console:"),
    *("hookyard:line:", "hookyard:holders:", "hookyard:starts:", "hookyard:loop:"),
)
_JOB, _IN_PROGRESS = "arq:job:", "arq:in-progress:"
_KEPT_RUNS = 64
_INDEXED_STATES = {"ignored", "failed", "retrying", "waiting"}


def audit(client: Any, keys: LedgerKeys | None = None) -> list[str]:
    """Return everything that is wrong with the ledger in *client*, one line each."""
    keys = keys or LedgerKeys()
    stored = {key.decode() for key in client.scan_iter(count=1000)}
    records = {
        key.removeprefix(keys.deliveries): _fields(client.hgetall(key))
        for key in stored
        if key.startswith(keys.deliveries)
    }
    return [
        *_sets(client, keys, records),
        *_jobs(stored, records),
        *_counts(client, keys, records),
        *(fault for one, fields in records.items() for fault in _record(one, fields)),
        *_indexes(client, keys, stored, records),
        *_other_keys(client, keys, stored),
    ]


def _fields(stored: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode(errors="replace") for name, value in stored.items()}


def _sets(client: Any, keys: LedgerKeys, records: dict[str, dict[str, str]]) -> list[str]:
    """Every delivery is in the sorted sets of its state, and in no other."""

    def members(key: str) -> set[str]:
        return {member.decode(errors="replace") for member in client.zrange(key, 0, -1)}

    def within(states: set[str]) -> set[str]:
        return {one for one, fields in records.items() if fields.get("state") in states}

    apart = {one for one in within({"queued"}) if "quarantined" in records[one]}
    queued = {one for one in members(keys.queue) if not one.startswith("cron:")}
    return [
        *_same(keys.received, members(keys.received), set(records)),
        *_same(keys.queue, queued, within(UNFINISHED) - apart),
        *_same(keys.quarantine, members(keys.quarantine), apart),
        *_same(keys.failed, members(keys.failed), within({"failed"})),
        *_same(keys.done, members(keys.done), within(DONE)),
    ]


def _same(what: str, found: set[str], expected: set[str]) -> list[str]:
    return [
        *(f"{what}: {one} should not be there" for one in sorted(found - expected)),
        *(f"{what}: {one} is missing" for one in sorted(expected - found)),
    ]


def _jobs(stored: set[str], records: dict[str, dict[str, str]]) -> list[str]:
    """Stock arq finds a job for all that is unfinished, and no lock of what does not run."""
    jobs = {key.removeprefix(_JOB) for key in stored if key.startswith(_JOB) and ":cron:" not in key}
    unfinished = {one for one, fields in records.items() if fields.get("state") in UNFINISHED}
    faults = _same("arq:job", jobs, unfinished)
    for key in stored:
        if key.startswith(_IN_PROGRESS) and ":cron:" not in key:
            state = records.get(key.removeprefix(_IN_PROGRESS), {}).get("state", "gone")
            if state != "running":
                faults.append(f"{key} is left behind: the delivery is {state}")
    return faults


def _counts(client: Any, keys: LedgerKeys, records: dict[str, dict[str, str]]) -> list[str]:
    counted = {state.decode(): int(count) for state, count in client.hgetall(keys.states).items()}
    real = Counter(fields.get("state", "") for fields in records.values())
    return [
        f"{keys.states}: {counted.get(state, 0)} {state}, but there are {real[state]}"
        for state in {*counted, *real}
        if counted.get(state, 0) != real[state]
    ]


def _record(one: str, fields: dict[str, str]) -> list[str]:
    """What a record holds fits together, and does not grow for ever."""
    faults = []
    if fields.get("crashes", "0") != str(len(fields.get("crashed_by", "").split())):
        faults.append(f"{one}: {fields.get('crashes')} crashes, held against {fields.get('crashed_by')!r}")
    if fields.get("state") == "running" and "lapsed" in fields:
        faults.append(f"{one} is running and has lapsed")
    for kind in ("run:", "crashed:"):
        kept = sum(1 for name in fields if name.startswith(kind))
        if kept > _KEPT_RUNS + 1:  # one that is older may carry where the handlers stand
            faults.append(f"{one} keeps {kept} fields {kind}…")
    if len(fields.get("settled", "").split()) > _KEPT_RUNS:
        faults.append(f"{one} keeps {len(fields['settled'].split())} tokens")
    return faults


def _indexes(
    client: Any, keys: LedgerKeys, stored: set[str], records: dict[str, dict[str, str]]
) -> list[str]:
    """Every delivery is in the indexes of what it is and came to, and in no other."""
    received = dict(client.zrange(keys.received, 0, -1, withscores=True))
    found = {
        (key.removeprefix(keys.by), member.decode()): score
        for key in stored
        if key.startswith(keys.by)
        for member, score in client.zrange(key, 0, -1, withscores=True)
    }
    cut = {name.decode() for name in client.hkeys(keys.cut)}
    expected = {
        (name, one)
        for one in records
        if (facets := _facets(client.hgetall(keys.delivery(one)), one)) is not None
        for name in facets
    }
    unreadable = {one for one in records if _facets(client.hgetall(keys.delivery(one)), one) is None}
    return [
        *(f"{name} should not have {one}" for name, one in found.keys() - expected if one not in unreadable),
        *(f"{name} misses {one}" for name, one in expected - found.keys() if name not in cut),
        *(
            f"{name} has {one} at {score:.0f}, not when it was received"
            for (name, one), score in found.items()
            if received.get(one.encode()) not in {score, None}
        ),
    ]


def _facets(fields: dict[bytes, bytes], one: str) -> set[str] | None:
    """Return the indexes in which a delivery must be; ``None`` for one that this version cannot read."""
    try:
        record = unpack_record(one, fields)
    except ValueError:
        return None
    delivery = record.delivery
    facets = {f"event:{delivery.event}"}
    if delivery.project is not None:
        facets.add(f"project:{delivery.project}")
        if delivery.object is not None:
            facets.add(f"object:{delivery.project}{delivery.object}")
    if delivery.origin != "webhook":
        facets.add(f"origin:{delivery.origin}")
    if delivery.source != "default":
        facets.add(f"source:{delivery.source}")
    if record.state.value in _INDEXED_STATES:
        facets.add(f"state:{record.state.value}")
    settled = [run for run in record.history if run.ending in {Ending.SETTLED, Ending.RELEASED}]
    if settled:
        standings = settled[-1].standings().values()
        facets |= {f"handler:{each.outcome.value}:{each.handler}" for each in standings}
        facets |= {f"error:{each.fingerprint}" for each in standings if each.fingerprint}
    return {facet[:300] for facet in facets}


def _other_keys(client: Any, keys: LedgerKeys, stored: set[str]) -> list[str]:
    known = {
        *(keys.queue, keys.quarantine, keys.received, keys.failed, keys.done),
        *(keys.states, keys.wake, keys.dropped, keys.cut, keys.failures, keys.credentials),
        *(keys.opening, keys.alarms, keys.tripped, keys.schedules),
        *(f"{keys.prefix}:console:audit", f"{keys.prefix}:console:orders"),
    }
    faults = []
    if client.llen(keys.wake) > 1:
        faults.append(f"{keys.wake} holds {client.llen(keys.wake)} tokens")
    for key in stored - known:
        if key.startswith((keys.deliveries, _JOB, keys.by, keys.values)):
            continue
        if not key.startswith(_EXPIRING) and ":cron:" not in key:
            faults.append(f"{key} is not a key of ours")
        elif client.ttl(key) == -1:
            faults.append(f"{key} would stay for ever")
    return faults
