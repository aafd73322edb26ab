"""Output that a terminal or pipe of any encoding can take."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Final

_HANDLER: Final = "hookyard.ascii"
_ASCII: Final = {"✓": "+", "✗": "x", "→": "->", "·": "-", "…": "...", "\N{REPLACEMENT CHARACTER}": "?"}


def print_on_any_locale() -> None:
    """Have standard output and error replace what their encoding lacks, instead of failing."""
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for the characters that could not be encoded (see :func:`codecs.register_error`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(character, "?") for character in lacking), error.end
