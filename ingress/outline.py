"""The outline of a large JSON body: the few values that operators search for, and that the rest is valid.

Nothing else is built, so it costs no memory and a thousandth of a second for each megabyte or so.
"""

from __future__ import annotations

import codecs
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

_VALUE_LIMIT: Final = 1024
_PIECE_BYTES: Final = 1024 * 1024
_NOTHING: Final = Raw()


class _Part(Struct):
    """The values that are looked at one level down."""

    path_with_namespace: Raw = _NOTHING
    group_path: Raw = _NOTHING
    id: Raw = _NOTHING
    iid: Raw = _NOTHING


class _Whole(Struct):
    """The values that are looked at in a body."""

    object_kind: Raw = _NOTHING
    project_path_with_namespace: Raw = _NOTHING
    path_with_namespace: Raw = _NOTHING
    group_path: Raw = _NOTHING
    project_id: Raw = _NOTHING
    project: Raw = _NOTHING
    group: Raw = _NOTHING
    object_attributes: Raw = _NOTHING
    merge_request: Raw = _NOTHING
    issue: Raw = _NOTHING


_read_whole: Final = msgspec.json.Decoder(_Whole).decode
_read_part: Final = msgspec.json.Decoder(_Part).decode
_read_any: Final = msgspec.json.Decoder(Raw).decode


def outline(body: bytes) -> dict[str, Any]:
    """Return the values of *body* that ``ingress.parsing.describe`` looks at; empty where it is no object.

    :raises msgspec.DecodeError: for what is no JSON by RFC 8259.
    :raises UnicodeDecodeError: for what is not UTF-8.
    :raises RecursionError: for JSON that is nested too deeply.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(body), _PIECE_BYTES):
        decoder.decode(body[at : at + _PIECE_BYTES])
    decoder.decode(b"", final=True)
    try:
        whole = _read_whole(body)
    except msgspec.ValidationError:
        _read_any(body)
        return {}
    found: dict[str, Any] = {}
    for name in _Whole.__struct_fields__:
        raw: Raw = getattr(whole, name)
        if bytes(memoryview(raw)[:1]) == b"{":
            part = _read_part(raw)
            found[name] = {each: _value(getattr(part, each)) for each in _Part.__struct_fields__}
        else:
            found[name] = _value(raw)
    return found


def _value(raw: Raw) -> Any:
    """Return a text or number of sensible length, else ``None``."""
    if not raw or len(raw) > _VALUE_LIMIT:
        return None
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, str | int | float) else None
