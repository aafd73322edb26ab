"""Serialize arq's jobs as msgpack, so that reading one runs no code, unlike arq's default, pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

serialize: Final[Callable[[dict[str, Any]], bytes]] = msgspec.msgpack.Encoder(enc_hook=repr).encode
"""arq's ``job_serializer``: return a job as msgpack.

A value that msgpack does not know (an exception in a stock worker's result) is written as its ``repr``.
"""


def deserialize(packed: bytes) -> dict[str, Any]:
    """Return the job in *packed*: arq's ``job_deserializer``."""
    job: dict[str, Any] = msgspec.msgpack.decode(packed)
    return job
