"""Text from outside, made safe to print: nothing in it controls the terminal, or shows a secret. Pure."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Final

_KEPT: Final = "\n\t\u200c\u200d"
"""Line ends, tabs, and what joins letters and emoji."""


def plain(text: str) -> str:
    """Return *text* with what could move the cursor, change colours or turn the direction made visible.

    These are the control characters (C0 and C1), and those that format, such as U+202E, which shows what
    follows from right to left.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in _KEPT else _harmless(char) for char in text)


def _harmless(char: str) -> str:
    return " " if unicodedata.category(char) == "Zs" else "\N{REPLACEMENT CHARACTER}"


def as_json(document: Any, *, indent: int | None = 2) -> str:
    """Return *document* as JSON that means the same and is safe to print, as :func:`plain` text is."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
