"""Where commands print: answers to standard output, what went wrong to standard error.

A terminal gets colours and its own width; a pipe gets plain text and one line per delivery.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.console import RenderableType

EXIT_FAILED: Final = 1
"""Exit code: it did not work."""

EXIT_USAGE: Final = 2
"""Exit code: wrong use or wrong settings."""

_PIPE_COLUMNS: Final = 2000


def screen() -> Console:
    """Return the console for standard output; lines for a pipe are not folded."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=_PIPE_COLUMNS)
    return console


def show(thing: RenderableType) -> None:
    """Print *thing*; no line for a pipe ends in blanks."""
    console = screen()
    if console.is_terminal:
        console.print(thing)
        return
    with console.capture() as captured:
        console.print(thing)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def show_json(shape: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document, never coloured; with no indent it is one line."""
    typer.echo(json.dumps(shape, indent=indent, ensure_ascii=False))


def note(text: str) -> None:
    """Print a remark to standard error, out of the way of the answer."""
    typer.echo(text, err=True)


def stop(text: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say on standard error why it goes no further, and end the command with *code*."""
    typer.echo(text, err=True)
    raise typer.Exit(code)


def now_ms() -> int:
    """Return the time, Unix ms."""
    return time.time_ns() // 1_000_000
