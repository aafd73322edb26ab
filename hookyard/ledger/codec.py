"""How a delivery and its runs are packed into the fields of a Redis hash, and read back.

Rule: pure. The Lua scripts in ``scripts/`` read or write these fields by name; keep
:func:`unpack_record` in step with them:

``state``, ``claims``, ``runs``, ``round_from``, ``done_from``, ``worker``, ``claimed``, ``finished``,
``error``, ``crashes``, ``quarantined``, ``alone``, ``dropped``, ``crashed:<n>``, ``v``
    shown by a record.
``token``, ``settled``
    the fencing token of the latest claim, and those of earlier claims whose runs were settled.
``confirmed``, ``lapses``, ``lapsed``, ``crashed_by``, ``job``
    whether the holder renewed since its claim; lapses of unconfirmed claims in this round; how the latest
    claim lapsed; the tokens whose crashes count; the arq job of a delivery that failed by crashes.
``replay``
    the replay that follows the present run.
``prints``
    the fingerprints of failures under whose index it is, apart by blanks.
``woken``, ``alarms``, ``held``, ``marked``
    that it is due before its time; the keys that make it so; the lines in which its run has a place; that
    there is any of these (``scripts/lines.lua``).

``meta``, ``body`` and ``run:<n>`` are opaque to the scripts. msgpack, never pickle: write access to Redis
must not allow running code in a worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, overload

import lz4.frame
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hookyard.ledger.records import Delivery, Ending, Record, Run, State

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPRESS_FROM_BYTES: Final = 200

_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
"""LZ4 Frame Format Description, "General Structure of LZ4 Frame format"."""


def pack_body(body: bytes) -> bytes:
    """Return *body* compressed where that is smaller.

    A body that happens to begin with LZ4's magic number is always compressed, so that
    :func:`unpack_body` need not be told.
    """
    if body.startswith(_LZ4_MAGIC):
        return _compressed(body)
    if len(body) < COMPRESS_FROM_BYTES:
        return body
    packed = _compressed(body)
    return packed if len(packed) < len(body) else body


def unpack_body(packed: bytes) -> bytes:
    """Return what :func:`pack_body` was given."""
    if not packed.startswith(_LZ4_MAGIC):
        return packed
    body: bytes = lz4.frame.decompress(packed)
    return body


def _compressed(body: bytes) -> bytes:
    packed: bytes = lz4.frame.compress(body)
    return packed


class _Facts(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A delivery without its id and body, as ``meta`` has it."""

    event: str
    received: int
    headers: dict[str, str]
    type: str | None = None
    source: str = "default"
    project: str | None = None
    object: str | None = None
    authenticated_by: str = ""
    trace: str | None = None
    origin: str = "webhook"
    parent: str | None = None
    redacted: bool = False


_pack = msgspec.msgpack.Encoder().encode
_read_facts = msgspec.msgpack.Decoder(_Facts).decode
_read_run = msgspec.msgpack.Decoder(Run).decode


def pack_meta(delivery: Delivery) -> bytes:
    """Return a delivery's facts, without id and body, as msgpack."""
    return _pack(
        _Facts(
            event=delivery.event,
            received=delivery.received_ms,
            headers=delivery.headers,
            type=delivery.content_type,
            source=delivery.source,
            project=delivery.project,
            object=delivery.object,
            authenticated_by=delivery.authenticated_by,
            trace=delivery.trace,
            origin=delivery.origin,
            parent=delivery.parent,
            redacted=delivery.redacted,
        )
    )


def unpack_delivery(delivery_id: str, meta: bytes, body: bytes = b"") -> Delivery:
    """Return the delivery that :func:`pack_meta` and :func:`pack_body` were given.

    :raises ValueError: when *meta* is not what this version writes.
    """
    try:
        facts = _read_facts(meta)
        raw_body = unpack_body(body)
    except (msgspec.DecodeError, UnicodeError, RuntimeError) as exc:
        message = (
            f"the record of delivery {delivery_id} cannot be read by this version ({type(exc).__name__})"
        )
        raise ValueError(message) from exc
    return Delivery(
        id=delivery_id,
        event=facts.event,
        received_ms=facts.received,
        headers=facts.headers,
        content_type=facts.type,
        body=raw_body,
        source=facts.source,
        project=facts.project,
        object=facts.object,
        authenticated_by=facts.authenticated_by,
        trace=facts.trace,
        origin=facts.origin,
        parent=facts.parent,
        redacted=facts.redacted,
    )


def pack_run(run: Run) -> bytes:
    """Return a run as msgpack; what has its default is left out."""
    try:
        return _pack(run)
    except UnicodeEncodeError:
        # a handler's error may quote JSON that holds half a surrogate pair, which UTF-8 has no bytes for
        attempts = tuple(
            replace(each, error=_escaped(each.error), traceback=_escaped(each.traceback))
            for each in run.attempts
        )
        return _pack(replace(run, attempts=attempts))


def unpack_run(packed: bytes) -> Run:
    """Return what :func:`pack_run` was given.

    :raises ValueError: when it is not what this version writes.
    """
    try:
        return _read_run(packed)
    except (msgspec.DecodeError, UnicodeError) as exc:
        message = f"a run cannot be read by this version ({type(exc).__name__})"
        raise ValueError(message) from exc


def _escaped(text: str | None) -> str | None:
    return text.encode(errors="backslashreplace").decode() if text is not None else None


def unpack_record(delivery_id: str, stored: Mapping[bytes, bytes], due_ms: int | None = None) -> Record:
    """Return the record that the hash fields in *stored* hold; a body that was not fetched reads as empty.

    :param due_ms: the delivery's score in the queue or the quarantine, ``None`` when it is in neither.
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
        token=stored[b"token"].decode() if b"token" in stored else "",
        runs=_number(stored, b"runs", 0),
        claims=claims,
        crashes=_number(stored, b"crashes", 0),
        round_from=_number(stored, b"round_from", 1),
        done_from=_number(stored, b"done_from", 1),
        worker=stored[b"worker"].decode() if b"worker" in stored else None,
        claimed_ms=_number(stored, b"claimed", None),
        finished_ms=_number(stored, b"finished", None),
        due_ms=due_ms,
        quarantined_ms=_number(stored, b"quarantined", None),
        alone=b"alone" in stored,
        dropped_ms=_number(stored, b"dropped", None),
        woken=stored[b"woken"].decode() if b"woken" in stored else None,
        error=stored[b"error"].decode() if b"error" in stored else None,
        history=_history(stored, running=claims if state is State.RUNNING else None),
    )


def _history(stored: Mapping[bytes, bytes], *, running: int | None) -> tuple[Run, ...]:
    """Return the runs in order; one that a dead worker left behind is marked so."""
    if running == 1 and b"run:1" not in stored and b"crashed:1" not in stored:  # nearly all that is claimed
        return (_under_way(stored, running),)
    runs: dict[int, Run] = {}
    crashes: list[tuple[int, bytes]] = []
    for name, value in stored.items():
        if name.startswith(b"run:"):
            runs[int(name[len(b"run:") :])] = unpack_run(value)
        elif name.startswith(b"crashed:"):
            crashes.append((int(name[len(b"crashed:") :]), value))
    for number, value in crashes:
        claimed, found, worker = value.decode().split(" ", 2)
        left = runs.get(number)
        runs[number] = Run(
            number=number,
            worker=worker,
            started_ms=int(claimed),
            ended_ms=int(found),
            ending=Ending.CRASHED,
            attempts=left.attempts if left else (),
            carried=left.carried if left else (),
        )
    if running is not None and running not in runs:
        runs[running] = _under_way(stored, running)
    return tuple(runs[number] for number in sorted(runs))


def _under_way(stored: Mapping[bytes, bytes], number: int) -> Run:
    """Return a run that has recorded nothing yet."""
    return Run(
        number=number,
        worker=stored.get(b"worker", b"").decode(),
        started_ms=_number(stored, b"claimed", 0),
        ending=Ending.RUNNING,
    )


@overload
def _number(stored: Mapping[bytes, bytes], name: bytes, default: int) -> int: ...
@overload
def _number(stored: Mapping[bytes, bytes], name: bytes, default: None) -> int | None: ...
def _number(stored: Mapping[bytes, bytes], name: bytes, default: int | None) -> int | None:
    value = stored.get(name)
    return default if value is None else int(value)
