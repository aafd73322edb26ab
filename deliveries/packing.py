"""How a delivery and its tries are packed into the fields of a Redis hash, and read back.

Rule: pure. The fields that the Lua scripts in ``scripts/`` read or write by name are ``state``,
``claims``, ``tries``, ``deaths``, ``round_from``, ``done_from``, ``worker``, ``claimed``,
``finished``, ``error``, ``replay``, ``v`` and ``died:<n>``; keep :func:`unpack_record` in step with
them. ``meta``, ``body`` and ``try:<n>`` are opaque to the scripts. msgpack, never pickle: whoever
can write to Redis must not be able to run code in a worker.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, overload

import msgpack
import zstandard

from deliveries.delivery import Delivery, Ending, Outcome, Record, Result, Standing, State, Try

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPRESS_FROM_BYTES: Final = 200

_compressor = zstandard.ZstdCompressor(level=1)
_decompressor = zstandard.ZstdDecompressor()
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1


def pack_body(body: bytes) -> bytes:
    """Return *body* compressed where that is smaller.

    A body that happens to begin with zstd's magic number is always compressed, so that
    :func:`unpack_body` need not be told.
    """
    if body.startswith(_ZSTD_MAGIC):
        return _compressor.compress(body)
    if len(body) < COMPRESS_FROM_BYTES:
        return body
    packed = _compressor.compress(body)
    return packed if len(packed) < len(body) else body


def unpack_body(packed: bytes) -> bytes:
    """Return what :func:`pack_body` was given."""
    return _decompressor.decompress(packed) if packed.startswith(_ZSTD_MAGIC) else packed


def pack_meta(delivery: Delivery) -> bytes:
    """Return a delivery's facts, without id and body, as msgpack."""
    facts: dict[str, Any] = {
        "event": delivery.event,
        "received": delivery.received_ms,
        "headers": dict(delivery.headers),
    }
    if delivery.content_type is not None:
        facts["type"] = delivery.content_type
    if delivery.source != "default":
        facts["source"] = delivery.source
    for name in ("project", "object", "vouched_by", "trace"):
        value = getattr(delivery, name)
        if value:
            facts[name] = value
    return bytes(msgpack.packb(facts))


def unpack_delivery(delivery_id: str, meta: bytes, body: bytes = b"") -> Delivery:
    """Return the delivery that :func:`pack_meta` and :func:`pack_body` were given.

    :raises ValueError: when *meta* is not what this version writes.
    """
    try:
        facts = msgpack.unpackb(meta)
        return Delivery(
            id=delivery_id,
            event=facts["event"],
            received_ms=facts["received"],
            headers=facts["headers"],
            content_type=facts.get("type"),
            body=unpack_body(body),
            source=facts.get("source", "default"),
            project=facts.get("project"),
            object=facts.get("object"),
            vouched_by=facts.get("vouched_by", ""),
            trace=facts.get("trace"),
        )
    except (KeyError, TypeError, AttributeError, msgpack.UnpackException, zstandard.ZstdError) as exc:
        message = (
            f"the record of delivery {delivery_id} cannot be read by this version ({type(exc).__name__})"
        )
        raise ValueError(message) from exc


def pack_try(one_try: Try) -> bytes:
    """Return a try as msgpack; empty values are left out."""
    facts = _set_fields(one_try)
    facts["outcomes"] = [_set_fields(outcome) for outcome in one_try.outcomes]
    if one_try.carried:
        facts["carried"] = [_set_fields(standing) for standing in one_try.carried]
    # a handler's error may quote JSON that holds half a surrogate pair, which UTF-8 has no bytes for
    return bytes(msgpack.packb(facts, unicode_errors="backslashreplace"))


def unpack_try(packed: bytes) -> Try:
    """Return what :func:`pack_try` was given.

    :raises ValueError: when it is not what this version writes.
    """
    try:
        facts = msgpack.unpackb(packed)
        facts["ending"] = Ending(facts["ending"])
        facts["outcomes"] = tuple(Outcome(**_with_result(outcome)) for outcome in facts["outcomes"])
        facts["carried"] = tuple(Standing(**_with_result(standing)) for standing in facts.get("carried", ()))
        return Try(**facts)
    except (KeyError, TypeError, msgpack.UnpackException) as exc:
        message = f"a try cannot be read by this version ({type(exc).__name__})"
        raise ValueError(message) from exc


_SCALARS: Final = {
    kind: tuple(field.name for field in fields(kind) if field.name not in {"outcomes", "carried"})
    for kind in (Try, Outcome, Standing)
}


def _set_fields(thing: Try | Outcome | Standing) -> dict[str, Any]:
    return {name: value for name in _SCALARS[type(thing)] if (value := getattr(thing, name)) is not None}


def _with_result(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "result": Result(facts["result"])}


def unpack_record(delivery_id: str, stored: Mapping[bytes, bytes], due_ms: int | None = None) -> Record:
    """Return the record that the hash fields in *stored* hold; a body that was not fetched reads as empty.

    :param due_ms: the delivery's score in the queue, ``None`` when it is not in it.
    :raises ValueError: when a newer version wrote it, or something is not as this version writes it.
    """
    missing = [name.decode() for name in (b"state", b"meta") if name not in stored]
    if missing:
        message = f"the record of delivery {delivery_id} has no {' and no '.join(missing)}"
        raise ValueError(message)
    state = State(stored[b"state"].decode())
    claims = _number(stored, b"claims", 0)
    return Record(
        delivery=unpack_delivery(delivery_id, stored[b"meta"], stored.get(b"body", b"")),
        state=state,
        tries=_number(stored, b"tries", 0),
        claims=claims,
        deaths=_number(stored, b"deaths", 0),
        round_from=_number(stored, b"round_from", 1),
        done_from=_number(stored, b"done_from", 1),
        worker=stored[b"worker"].decode() if b"worker" in stored else None,
        claimed_ms=_number(stored, b"claimed", None),
        finished_ms=_number(stored, b"finished", None),
        due_ms=due_ms,
        error=stored[b"error"].decode() if b"error" in stored else None,
        history=_history(stored, running=claims if state is State.RUNNING else None),
    )


def _history(stored: Mapping[bytes, bytes], *, running: int | None) -> tuple[Try, ...]:
    """Return the tries in order; one that a dead worker left behind is marked so."""
    tries = {int(name[4:]): unpack_try(value) for name, value in stored.items() if name.startswith(b"try:")}
    for name, value in stored.items():
        if name.startswith(b"died:"):
            number = int(name[5:])
            claimed, found, worker = value.decode().split(" ", 2)
            left = tries.get(number)
            tries[number] = Try(
                number=number,
                worker=worker,
                started_ms=int(claimed),
                ended_ms=int(found),
                ending=Ending.DIED,
                outcomes=left.outcomes if left else (),
                carried=left.carried if left else (),
            )
    if running is not None and running not in tries:
        tries[running] = Try(
            number=running,
            worker=stored.get(b"worker", b"").decode(),
            started_ms=_number(stored, b"claimed", 0),
            ending=Ending.RUNNING,
        )
    return tuple(tries[number] for number in sorted(tries))


@overload
def _number(stored: Mapping[bytes, bytes], name: bytes, default: int) -> int: ...
@overload
def _number(stored: Mapping[bytes, bytes], name: bytes, default: None) -> int | None: ...
def _number(stored: Mapping[bytes, bytes], name: bytes, default: int | None) -> int | None:
    value = stored.get(name)
    return default if value is None else int(value)
