"""What the scripts are handed beside a run: the lines it left, what it waits for, the deliveries it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hookyard.ledger.codec import pack_body, pack_meta
from hookyard.ledger.keys import job_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookyard.ledger.records import Delivery


def pack_also(left: Sequence[str], alarms: Sequence[str], enqueued: Sequence[tuple[Delivery, int]]) -> bytes:
    """Return what ``scripts/lines.lua`` and ``scripts/follow.lua`` read."""
    made = [
        (
            one.id,
            one.received_ms,
            *map(_text, (pack_meta(one), pack_body(one.body), job_bytes(one.id, due_ms))),
            due_ms,
        )
        for one, due_ms in enqueued
    ]
    return msgspec.msgpack.encode((left, alarms, made))


def _text(content: bytes) -> msgspec.Raw:
    """Return bytes as a text of msgpack's, since Redis's Lua reads no other kind."""
    return msgspec.Raw(b"\xdb" + len(content).to_bytes(4, "big") + content)
