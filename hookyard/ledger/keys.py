"""The Redis keys of one installation, and a delivery's job as stock arq would write it.

Rule: with ``redis.arq_serializer`` the only place that knows arq's formats, but for the Lua scripts,
which spell out arq's key prefixes (``arq:job:``, ``arq:in-progress:``,
``arq:retry:``: fixed in ``arq.constants``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.jobs import serialize_job

from hookyard.redis.arq_serializer import serialize

FUNCTION: Final = "process_delivery"
"""The function that a job names; its one argument is the delivery's id."""


def job_bytes(delivery_id: str, enqueued_ms: int) -> bytes:
    """Return what stands under ``arq:job:<id>`` for a delivery, as stock arq would write it."""
    return serialize_job(FUNCTION, (delivery_id,), {}, None, enqueued_ms, serializer=serialize)


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The Redis keys of one installation; everything but arq's own per-job keys begins with *prefix*."""

    prefix: str = "hookyard"

    @property
    def queue(self) -> str:
        """Sorted set: arq's queue. Member: delivery id; score: when it falls due, ms.

        Not arq's default name, so that a stock worker of another application in the same Redis
        does not take deliveries for unknown jobs and drop them.
        """
        return f"{self.prefix}:queue"

    @property
    def deliveries(self) -> str:
        """Prefix of the hashes that hold the records."""
        return f"{self.prefix}:delivery:"

    @property
    def received(self) -> str:
        """Sorted set: every delivery kept, by the time it was received, ms."""
        return f"{self.prefix}:received"

    @property
    def failed(self) -> str:
        """Sorted set: deliveries in state ``failed``, by the time they failed, ms."""
        return f"{self.prefix}:failed"

    @property
    def done(self) -> str:
        """Sorted set: deliveries in state ``succeeded`` or ``ignored``, by the time they finished, ms."""
        return f"{self.prefix}:done"

    @property
    def states(self) -> str:
        """Hash: how many deliveries are in each state."""
        return f"{self.prefix}:states"

    @property
    def wake(self) -> str:
        """List of at most one token: there is something to claim."""
        return f"{self.prefix}:wake"

    @property
    def workers(self) -> str:
        """Sorted set: the workers that live, by when they last said so, ms."""
        return f"{self.prefix}:workers"

    def delivery(self, delivery_id: str) -> str:
        """Return the key of one record."""
        return self.deliveries + delivery_id

    @staticmethod
    def arq_keys(delivery_id: str) -> tuple[str, str, str]:
        """Return arq's own keys for one delivery: job, in-progress, retry."""
        return (
            job_key_prefix + delivery_id,
            in_progress_key_prefix + delivery_id,
            retry_key_prefix + delivery_id,
        )
