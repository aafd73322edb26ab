"""Changing a sample by orders such as `object_attributes.action=close`."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any


def amended(body: object, orders: list[str]) -> object:
    """A copy of the body with each `path=value` carried out.

    A path's parts are keys, or positions in a list; objects that are missing on the way are made. A
    value that is JSON counts as that, any other as text. Raises ValueError that names the order at
    fault.
    """
    changed = deepcopy(body)
    for order in orders:
        path, equals, value = order.partition("=")
        if not equals or not path:
            raise ValueError(f"{order!r} is not of the form path=value")
        _set(changed, path.split("."), _value(value), order)
    return changed


def _set(at: Any, path: list[str], value: object, order: str) -> None:
    *way, last = path
    for part in way:
        at = at.setdefault(part, {}) if isinstance(at, dict) else _item(at, part, order)
    if isinstance(at, dict):
        at[last] = value
    else:
        _item(at, last, order)
        at[int(last)] = value


def _item(at: Any, part: str, order: str) -> Any:
    if not isinstance(at, list) or not part.isdecimal() or int(part) >= len(at):
        raise ValueError(f"{order!r}: there is no {part!r} in what comes before it")
    return at[int(part)]


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
