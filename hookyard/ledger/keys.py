"""The Redis keys of one installation, and a delivery's job as stock arq would write it.

Rule: apart from ``redis.arq_serializer``, this is the only Python module that knows arq's formats. The
Lua scripts spell out arq's per-job key prefixes (``arq:job:``, ``arq:in-progress:``, ``arq:retry:``),
which are constants in ``arq.constants``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from arq.jobs import serialize_job

from hookyard.redis.arq_serializer import serialize

FUNCTION: Final = "process_delivery"
"""The function that a job names; its one argument is the delivery's id."""


def job_bytes(delivery_id: str, enqueued_ms: int) -> bytes:
    """Return the value of ``arq:job:<id>`` for a delivery, as stock arq would write it."""
    return serialize_job(FUNCTION, (delivery_id,), {}, None, enqueued_ms, serializer=serialize)


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerKeys:
    """The Redis keys of one installation, built once; all but arq's own per-job keys begin with *prefix*."""

    prefix: str = "hookyard"

    queue: str = field(init=False)
    """Sorted set: arq's queue. Member: delivery id; score: when it falls due, ms.

    Not arq's default name: a stock worker of another application in the same Redis would take
    deliveries for unknown jobs and drop them.
    """
    deliveries: str = field(init=False)
    """Prefix of the hashes that hold the records."""
    received: str = field(init=False)
    """Sorted set: every delivery kept, by the time it was received, ms."""
    failed: str = field(init=False)
    """Sorted set: deliveries in state ``failed``, by the time they failed, ms."""
    done: str = field(init=False)
    """Sorted set: deliveries in state ``succeeded`` or ``ignored``, by the time they finished, ms."""
    states: str = field(init=False)
    """Hash: the number of deliveries in each state."""
    wake: str = field(init=False)
    """List of at most one token: there is something to claim."""
    quarantine: str = field(init=False)
    """Sorted set: deliveries that wait to be run alone, by the time they fall due, ms. Not in the queue."""
    dropped: str = field(init=False)
    """Hash: up to which time of finishing bodies made room, ms, in ``done`` and in ``failed``."""
    workers: str = field(init=False)
    """Sorted set: live workers, by the time of their last heartbeat, ms."""
    by: str = field(init=False)
    """Prefix of the secondary indexes: deliveries with ``<facet>:<value>``, by the time of receipt, ms."""
    values: str = field(init=False)
    """Prefix of sorted sets: the values that a facet has, by when one was last met, ms."""
    cut: str = field(init=False)
    """Hash: by index, up to which score its oldest members were dropped."""
    failures: str = field(init=False)
    """Sorted set: fingerprints of failures, by when one was last met, ms."""
    failure: str = field(init=False)
    """Prefix of hashes: what is known of a group of failures."""
    credentials: str = field(init=False)
    """Hash: by source and credential, how many deliveries it authenticated, and when the last one, ms."""
    minutes: str = field(init=False)
    """Prefix of hashes, one for each hour: what happened in each of its minutes."""
    hours: str = field(init=False)
    """Prefix of hashes, one for each hour: how long handlers took, by handler, outcome and length."""
    opening: str = field(init=False)
    """Sorted set: claimed deliveries that have not joined their lines yet, by the time of receipt, ms."""
    line: str = field(init=False)
    """Prefix of sorted sets: what a handler has to do for one key; see ``scripts/lines.lua``."""
    holders: str = field(init=False)
    """Prefix of hashes: which of them have a place, with the token of their run."""
    alarms: str = field(init=False)
    """Sorted set: the keys that deliveries wait for, and which."""
    starts: str = field(init=False)
    """Prefix of sorted sets: when a handler that has a rate was, or will be, started, ms."""
    loop: str = field(init=False)
    """Prefix of sorted sets: when a handler ran for one object, ms."""
    tripped: str = field(init=False)
    """Hash: the loops that were broken, by handler and object, and since when, ms."""
    watch: str = field(init=False)
    """String: the worker that looks after the webhooks in GitLab; expires."""
    schedules: str = field(init=False)
    """Hash: by name, what is known of a schedule."""
    probe: str = field(init=False)
    """String that a probe writes, to learn whether Redis takes writes; expires at once."""

    def __post_init__(self) -> None:
        """Build the keys."""
        for name, suffix in (
            ("queue", "queue"),
            ("deliveries", "delivery:"),
            ("received", "received"),
            ("failed", "failed"),
            ("done", "done"),
            ("states", "states"),
            ("wake", "wake"),
            ("quarantine", "quarantine"),
            ("dropped", "dropped"),
            ("workers", "workers"),
            ("opening", "opening"),
            ("line", "line:"),
            ("holders", "holders:"),
            ("alarms", "alarms"),
            ("starts", "starts:"),
            ("loop", "loop:"),
            ("tripped", "tripped"),
            ("watch", "watch"),
            ("schedules", "schedules"),
            ("probe", "probe"),
            ("by", "by:"),
            ("values", "values:"),
            ("cut", "cut"),
            ("failures", "failures"),
            ("failure", "failure:"),
            ("credentials", "credentials"),
            ("minutes", "minutes:"),
            ("hours", "hours:"),
        ):
            object.__setattr__(self, name, f"{self.prefix}:{suffix}")

    def delivery(self, delivery_id: str) -> str:
        """Return the key of one record."""
        return self.deliveries + delivery_id
