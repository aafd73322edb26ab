"""The progress bar of a long `send`: on standard error if that is a terminal, else nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitlab_emulator.load_statistics import LoadStatistics


@contextmanager
def shown(statistics: LoadStatistics, *, count: int) -> Iterator[Callable[[], None]]:
    """Show it while the block runs; yield a function to call whenever the statistics have changed."""
    console = Console(stderr=True)
    bar = Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[failed]}", style="red"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,  # the summary takes its place
        refresh_per_second=5,
    )
    with bar:
        task = bar.add_task("", total=count, failed="")

        def update() -> None:
            failed = f"{statistics.failed:,} failed" if statistics.failed else ""
            bar.update(task, completed=statistics.ended, failed=failed)

        yield update
