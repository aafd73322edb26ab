"""The language of filters: ``state:failed event:"Push Hook" handler:label timeout``. Rule: pure."""

from __future__ import annotations

import difflib
import re
from typing import Any, Final

from hookyard.ledger.query import Filter
from hookyard.ledger.records import Outcome, State
from hookyard.ledger.times import iso, parse_moment

NAMES: Final = {
    "state": "state",
    "event": "event",
    "project": "project",
    "object": "object",
    "handler": "handler",
    "outcome": "outcome",
    "error": "error",
    "fingerprint": "fingerprint",
    "source": "source",
    "origin": "origin",
    "since": "since_ms",
    "until": "until_ms",
}
"""The filters, and the fields of :class:`Filter` that they set."""

LONGEST: Final = 1000
_WORD: Final = re.compile(r'(?:(?P<name>[a-z]+):)?(?:"(?P<quoted>[^"]*)"|(?P<bare>\S+))')
_LATEST_MS: Final = 4_102_444_800_000  # 2100
_PLAIN: Final = re.compile(r'[^\s":]+')


class FilterError(ValueError):
    """A filter that cannot be used; its text says what to write instead."""


def parse(text: str, *, now_ms: int) -> Filter:
    """Return the filter that *text* means; words without a name are looked for as one text.

    :raises FilterError: naming the filters that exist, or the values that one has.
    """
    if len(text) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST} characters")
    given: dict[str, str] = {}
    words: list[str] = []
    for found in _WORD.finditer(text):
        name, value = found["name"], found["quoted"] if found["quoted"] is not None else found["bare"]
        if name is None and value.removesuffix(":") in NAMES and value.endswith(":"):
            name, value = value[:-1], ""
        if name is None or name in {"http", "https"}:
            words.append(found[0].strip('"'))
        elif name not in NAMES:
            raise FilterError(_unknown(name))
        elif name in given:
            raise FilterError(f"{name}: stands there twice")
        else:
            given[name] = value
    return make(**given, text=" ".join(words) or None, now_ms=now_ms)


def make(*, now_ms: int, text: str | None = None, **given: str | None) -> Filter:
    """Return the filter of named values.

    :raises FilterError: for a value that cannot be used.
    """
    fields: dict[str, Any] = {"text": text}
    for name, value in given.items():
        if value is None:
            continue
        if not value:
            raise FilterError(f"{name}: has no value; write it after the colon, in quotes if it holds blanks")
        match name:
            case "state":
                fields["state"] = State(_one_of(name, value, [state.value for state in State]))
            case "outcome":
                fields["outcome"] = Outcome(_one_of(name, value, [outcome.value for outcome in Outcome]))
            case "since" | "until":
                fields[NAMES[name]] = _moment(name, value, now_ms)
            case _:
                fields[NAMES[name]] = value
    return Filter(**fields)


def text_of(wanted: Filter) -> str:
    """Return the text that :func:`parse` reads as *wanted*."""
    parts = []
    for name, field in NAMES.items():
        value = getattr(wanted, field)
        if value is not None:
            shown = iso(value) if name in {"since", "until"} else str(getattr(value, "value", value))
            parts.append(term(name, shown))
    return " ".join([*parts, *([wanted.text] if wanted.text else [])])


def term(name: str, value: str) -> str:
    """Return one filter as it is written."""
    return f"{name}:{value}" if _PLAIN.fullmatch(value) else f'{name}:"{value.replace(chr(34), "")}"'


def _moment(name: str, value: str, now_ms: int) -> int:
    try:
        moment_ms = parse_moment(value, now_ms=now_ms)
    except ValueError as exc:
        raise FilterError(f"{name}: {exc}") from None
    if not 0 <= moment_ms <= _LATEST_MS:
        raise FilterError(f"{name}:{value} is too far away: write a time between 1970 and 2100")
    return moment_ms


def _one_of(name: str, value: str, known: list[str]) -> str:
    wanted = value.lower().replace("_", " ")
    if wanted in known:
        return wanted
    near = difflib.get_close_matches(wanted, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise FilterError(f"{name}:{value}: {hint}there are {', '.join(known)}")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, list(NAMES), n=1)
    hint = f"did you mean {near[0]}:? " if near else ""
    return f"there is no filter {name}:. {hint}There are {', '.join(f'{one}:' for one in NAMES)}"
