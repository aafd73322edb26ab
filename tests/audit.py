"""What must hold in Redis at any moment: the ledger's books balance, and no key is left behind."""

from __future__ import annotations

from typing import Any

from hookyard.ledger.keys import LedgerKeys

UNFINISHED = {"queued", "running", "retrying"}
DONE = {"succeeded", "ignored"}
_EXPIRING = (
    *("arq:in-progress:", "arq:retry:"),
    *("hookyard:probe", "hookyard:queue:health-check", "hookyard:workers"),
)


def audit(  # noqa: C901 - one check after the other
    client: Any, keys: LedgerKeys | None = None
) -> list[str]:
    """Return everything that is wrong with the ledger in *client*, one line each."""
    keys = keys or LedgerKeys()
    stored = {key.decode() for key in client.scan_iter(count=1000)}
    faults: list[str] = []
    states = {}
    for key in [key for key in stored if key.startswith(keys.deliveries)]:
        states[key.removeprefix(keys.deliveries)] = (client.hget(key, "state") or b"").decode()

    def members(key: str) -> set[str]:
        return {member.decode() for member in client.zrange(key, 0, -1)}

    def same(what: str, found: set[str], expected: set[str]) -> None:
        faults.extend(f"{what}: {one} should not be there" for one in sorted(found - expected))
        faults.extend(f"{what}: {one} is missing" for one in sorted(expected - found))

    unfinished = {one for one, state in states.items() if state in UNFINISHED}
    queued = members(keys.queue)
    same(keys.received, members(keys.received), set(states))
    same(keys.queue, {one for one in queued if not one.startswith("cron:")}, unfinished)
    same(keys.failed, members(keys.failed), {one for one, state in states.items() if state == "failed"})
    same(keys.done, members(keys.done), {one for one, state in states.items() if state in DONE})
    same(
        "arq:job",
        {
            key.removeprefix("arq:job:")
            for key in stored
            if key.startswith("arq:job:") and ":cron:" not in key
        },
        unfinished,
    )
    for key in stored:
        if key.startswith("arq:in-progress:") and ":cron:" not in key:
            one = key.removeprefix("arq:in-progress:")
            if states.get(one) != "running":
                faults.append(f"{key} is left behind: the delivery is {states.get(one, 'gone')}")
    counted = {state.decode(): int(count) for state, count in client.hgetall(keys.states).items()}
    for state in {*counted, *states.values()}:
        real = sum(1 for one in states.values() if one == state)
        if counted.get(state, 0) != real:
            faults.append(f"{keys.states}: {counted.get(state, 0)} {state}, but there are {real}")
    if client.llen(keys.wake) > 1:
        faults.append(f"{keys.wake} holds {client.llen(keys.wake)} tokens")
    known = {keys.queue, keys.received, keys.failed, keys.done, keys.states, keys.wake}
    for key in stored - known:
        if key.startswith((keys.deliveries, "arq:job:")):
            continue
        if not key.startswith(_EXPIRING) and ":cron:" not in key:
            faults.append(f"{key} is not a key of ours")
        elif client.ttl(key) == -1:
            faults.append(f"{key} would stay for ever")
    return faults
