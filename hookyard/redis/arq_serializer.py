"""Serialize arq's jobs as msgpack, so that reading one runs no code, unlike arq's default, pickle."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.msgpack.Encoder(enc_hook=repr)


def serialize(job: dict[str, Any]) -> bytes:
    """Return *job* as msgpack: arq's ``job_serializer``.

    A value that msgpack does not know (an exception in a stock worker's result) is written as its ``repr``.
    """
    return _encoder.encode(job)


def deserialize(packed: bytes) -> dict[str, Any]:
    """Return the job in *packed*: arq's ``job_deserializer``."""
    job: dict[str, Any] = msgspec.msgpack.decode(packed)
    return job
