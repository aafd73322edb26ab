"""One terminal for the output of several processes, told apart by name and colour."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle
from typing import Final, NoReturn

from rich.console import Console
from rich.text import Text

_STAMP: Final = re.compile(r"^((?:\x1b\[[0-9;]*m)*)\d{4}-\d\d-\d\dT[\d:.]+Z((?:\x1b\[[0-9;]*m)*) ")
_COLOURS: Final = (
    "cyan",
    "yellow",
    "green",
    "magenta",
    "blue",
    "bright_cyan",
    "bright_yellow",
    "bright_green",
)


class _Console(Console):
    """A console that leaves a closed pipe to its caller; rich would end the process."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the :class:`BrokenPipeError` that is being handled."""
        raise  # noqa: PLE0704 - rich calls this in its except clause


class Printer:
    """Prints the lines of the processes *names*, and of ``up`` itself.

    ``on_unread`` is called once when standard output is closed; nothing is printed from then on.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.on_unread: Callable[[], None] = lambda: None
        self._is_read = True
        self._colours = dict(zip(names, cycle(_COLOURS), strict=False))
        self._width = max(len(name) for name in [*names, "up"])
        self._console = _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def say(self, line: str, *, name: str = "up") -> None:
        """Print *line* of the process *name* behind the time; a time that it begins with is dropped."""
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        prefix = (f"{time} {name:<{self._width}} | ", self._colours.get(name, "bold"))
        text = Text.assemble(prefix, Text.from_ansi(_STAMP.sub(r"\1\2", line)))
        self._write(lambda: self._console.print(text))

    def plain(self, text: str) -> None:
        """Print *text* as it is."""
        self._write(lambda: self._console.out(text, highlight=False))

    def _write(self, write: Callable[[], None]) -> None:
        if not self._is_read:
            return
        try:
            write()
            self._console.file.flush()
        except OSError:  # the pipe or the terminal is gone
            self._is_read = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.on_unread()
