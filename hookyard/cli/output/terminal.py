"""Printing: results to standard output, errors and remarks to standard error.

A terminal gets colours and its own width; a pipe gets plain text with one line per delivery.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from hookyard.cli.output.safe import as_json, plain
from hookyard.telemetry.scrubber import scrub

if TYPE_CHECKING:
    from rich.console import RenderableType

EXIT_FAILED: Final = 1
"""Exit code: the command failed."""

EXIT_USAGE: Final = 2
"""Exit code: wrong usage or wrong settings."""

_PIPE_COLUMNS: Final = 2000

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def console() -> Console:
    """Return the console for standard output; lines for a pipe are not wrapped."""
    found = Console(highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found = Console(highlight=False, markup=False, emoji=False, width=_PIPE_COLUMNS)
    return found


def show(thing: RenderableType) -> None:
    """Print *thing*; lines for a pipe have no trailing blanks."""
    found = console()
    if found.is_terminal:
        found.print(thing)
        return
    with found.capture() as captured:
        found.print(thing)
    typer.echo(scrub("\n".join(line.rstrip() for line in captured.get().splitlines())))


def show_json(document: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document without colours, on one line without *indent*."""
    text = scrub(as_json(document, indent=indent))
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = scrub(json.dumps(document, indent=indent))
    typer.echo(text)


def show_json_in_colours(document: Any) -> None:
    """Print one JSON document for a person at a terminal."""
    text = Text(scrub(as_json(document)))
    JSONHighlighter().highlight(text)
    console().print(text, soft_wrap=True)


def print_note(text: str) -> None:
    """Print a remark to standard error, apart from the result."""
    typer.echo(plain(scrub(text)), err=True)


def stop(text: str, code: int = EXIT_FAILED) -> NoReturn:
    """Print an error to standard error and end the command with *code*."""
    typer.echo(plain(scrub(text)), err=True)
    raise typer.Exit(code)


def now_ms() -> int:
    """Return the time, Unix ms."""
    return time.time_ns() // 1_000_000
