"""The emulator's state as a file: read at the start, written after changes, whole or not at all.

One JSON object. What stands in it follows from the types of the state's dataclasses, so that a new
field needs nothing here; one that is missing in an older file gets its default.
"""

from __future__ import annotations

import dataclasses
import json
import os
import types
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from gitlab_emulator.hooks import model
from gitlab_emulator.state import State, ci, code, noteables, people, places, world

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
READABLE_BY_OWNER = 0o600  # hooks' secrets stand in it
SCALARS = (str, int, float, bool)
# What the annotations name that their own modules import for type checkers only.
NAMES = {
    **{
        name: value
        for module in (people, code, noteables, ci, places, world, model)
        for name, value in vars(module).items()
    },
    "datetime": datetime,
}


class StateFileError(Exception):
    """The file cannot be read or written; the text says which, why, and what can be done."""


def load(path: Path) -> State | None:
    """What the file holds; None when there is no such file. Raises StateFileError for any other."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateFileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, "it is not JSON in UTF-8") from error
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise _broken(path, f"it is not of version {VERSION}")
    try:
        state = from_json(State, data.get("state"), "state")
    except ValueError as error:
        raise _broken(path, str(error)) from error
    if not isinstance(state, State) or state.bot_id not in state.users:
        raise _broken(path, "state.bot_id is the number of no user")
    return state


def save(path: Path, text: str) -> None:
    """Put the text there in one step: a reader sees all of the old or all of the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, NEW, READABLE_BY_OWNER), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or the new name may be gone after a power cut
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise StateFileError(f"cannot write {path}: {error.strerror}") from error


def as_text(state: State) -> str:
    """The file's text for a state."""
    return json.dumps(
        {"version": VERSION, "state": to_json(state)}, ensure_ascii=False, separators=(",", ":")
    )


def to_json(value: object) -> Any:
    """A dataclass, or what may stand in one, as JSON; an object's keys become text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def from_json(kind: Any, value: Any, where: str) -> Any:
    """The value of this type that the JSON stands for; ValueError that says where it does not."""
    if get_origin(kind) in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, where)
    if get_origin(kind) is list:
        (inner,) = get_args(kind)
        return [from_json(inner, one, f"{where}[{at}]") for at, one in enumerate(_a(list, value, where))]
    if get_origin(kind) is dict:
        key_kind, inner = get_args(kind)
        pairs = _a(dict, value, where).items()
        return {_key(key_kind, key, where): from_json(inner, one, f"{where}.{key}") for key, one in pairs}
    return value if kind is Any else _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is datetime:
        return _moment(value, where)
    if kind is float and type(value) is int:
        return float(value)
    _check(kind in SCALARS, where, "of a kind that can be kept")
    return _a(kind, value, where)


def _record(kind: Any, value: Any, where: str) -> Any:
    _a(dict, value, where)
    hints = get_type_hints(kind, localns=NAMES)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := value.keys() - fields.keys():
        raise ValueError(f"{where}.{min(unknown)} is unknown")
    for name, field in fields.items():
        optional = (
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        )
        _check(name in value or optional, f"{where}.{name}", "there")
    return kind(**{name: from_json(hints[name], one, f"{where}.{name}") for name, one in value.items()})


def _key(kind: Any, key: str, where: str) -> Any:
    if kind is str:
        return key
    _check(key.removeprefix("-").isdecimal(), f"{where}.{key[:40]}", "named by a number")
    return int(key)


def _moment(value: Any, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = datetime.min  # noqa: DTZ901 - told apart by its want of a zone
    _check(moment.tzinfo is not None, where, "a time with its zone")
    return moment


def _a(kind: Any, value: Any, where: str) -> Any:
    """The value, which must be of just this type: true is no number."""
    _check(type(value) is kind, where, f"of the type {kind.__name__}")
    return value


def _check(holds: bool, where: str, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise ValueError(f"{where} is not {what}")


def _broken(path: Path, why: str) -> StateFileError:
    return StateFileError(
        f"{path} holds no state that this emulator can read: {why}. Move it away to start anew."
    )
