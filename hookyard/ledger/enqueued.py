"""How the deliveries that a handler made are handed to the scripts, which keep them with its success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hookyard.ledger.codec import pack_body, pack_meta
from hookyard.ledger.keys import job_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookyard.ledger.records import Delivery


def pack_enqueued(enqueued: Sequence[tuple[Delivery, int]]) -> bytes:
    """Return what ``scripts/follow.lua`` reads."""
    return msgspec.msgpack.encode(
        [
            (
                one.id,
                one.received_ms,
                *map(_text, (pack_meta(one), pack_body(one.body), job_bytes(one.id, due_ms))),
                due_ms,
            )
            for one, due_ms in enqueued
        ]
    )


def _text(content: bytes) -> msgspec.Raw:
    """Return bytes as a text of msgpack's, since Redis's Lua reads no other kind."""
    return msgspec.Raw(b"\xdb" + len(content).to_bytes(4, "big") + content)
