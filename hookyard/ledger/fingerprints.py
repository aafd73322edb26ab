"""What makes two failures the same one: handler, class, place in the bot, message without numbers and ids.

Rule: pure. A place is a file and a function, without the line: an edit elsewhere in the file does not make a
new failure of an old one.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

_FRAME: Final = re.compile(r'^  File "([^"\n]+)", line (\d+), in (.+)$', re.MULTILINE)
_START: Final = "Traceback (most recent call last):"
_NOT_OURS: Final = re.compile(
    r"/(?:site|dist)-packages/|/lib/python3[.\d]*/|^<|/hookyard/(?:host|gitlab|redis|ledger)/"
)
_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*(?=:|$)")
_ID: Final = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f]{7,}(?:-[0-9a-f]+)*\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+")
_LENGTH: Final = 16


class Frame(NamedTuple):
    """One frame of a traceback; ``is_own``: the bot's code, not a library's."""

    path: str
    line: int
    function: str
    is_own: bool


def frames(traceback: str) -> list[Frame]:
    """Return the frames of the last exception in *traceback*, the innermost one last."""
    _, _, last = traceback.rpartition(_START)
    return [
        Frame(path, int(line), function, is_own=_NOT_OURS.search(path) is None)
        for path, line, function in _FRAME.findall(last or traceback)
    ]


def own_place(traceback: str | None) -> Frame | None:
    """Return the innermost frame of the bot, else the innermost of all; ``None`` without a traceback."""
    found = frames(traceback or "")
    return next((frame for frame in reversed(found) if frame.is_own), found[-1] if found else None)


def error_class(error: str) -> str:
    """Return the class that begins an error's text, ``""`` where none does."""
    found = _CLASS.match(error)
    return found.group() if found else ""


def without_values(message: str) -> str:
    """Return *message* with its numbers and ids replaced, so that those of two failures compare equal."""
    return _NUMBER.sub("0", _ID.sub("…", message))


def fingerprint(handler: str, error: str | None, traceback: str | None) -> str:
    """Return the fingerprint of a failed attempt: 16 hexadecimal digits."""
    place = own_place(traceback)
    file = "/".join(place.path.split("/")[-2:]) if place else ""
    text = error or ""
    parts = (handler, error_class(text), file, place.function if place else "", without_values(text))
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:_LENGTH]
