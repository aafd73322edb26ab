"""Measures Hookyard side by side with its alternatives, prints a table and writes it as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from bench import load, report
from bench.measurements import (
    accepting,
    answering,
    growing,
    handling,
    hosting,
    idling,
    in_flight,
    picking_up,
    remembering,
)
from bench.measurements.effort import FULL, QUICK, Effort
from bench.stage import on_stage
from bench.turns import progress
from hookyard.redis.embedded import find_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measurements.effort import Found
    from bench.stage import Stage

RESULTS: Final = Path(__file__).with_name("results")

MEASUREMENTS: Final[dict[str, Callable[[Stage, Effort], Found]]] = {
    "ingress": accepting.measure,
    "answer": answering.measure,
    "worker": handling.measure,
    "hosts": hosting.measure,
    "pickup": picking_up.measure,
    "idle": idling.measure,
    "fleet": in_flight.measure,
    "backlog": growing.measure,
    "memory": remembering.measure,
}
BUSY: Final = 0.5
WITH_ALWAYS: Final = ("ingress", "answer", "worker", "pickup")
"""What an fsync before each answer of Redis makes a difference to."""


def parse() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes, rougher")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="may be given more than once")
    parser.add_argument(
        "--appendfsync", choices=("everysec", "always"), help="one of them; the full run does both"
    )
    parser.add_argument("--rounds", type=int, help="instead of 5, or 2 with --quick")
    parser.add_argument("--backlog", type=int, help="deliveries waiting, instead of 1,000,000 or 50,000")
    parser.add_argument("--log-level", choices=("info", "warning"), default="warning", help="of all workers")
    parser.add_argument("--output", type=Path, default=RESULTS / "latest.json")
    return parser.parse_args()


def effort_of(given: argparse.Namespace) -> Effort:
    """Return how much is to be done."""
    effort = QUICK if given.quick else FULL
    changed = {"rounds": given.rounds, "backlog": given.backlog}
    return dataclasses.replace(effort, **{name: value for name, value in changed.items() if value})


def main() -> int:
    """Measure; exit code 1 when a target was missed or something failed."""
    given = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    effort = effort_of(given)
    both = ("everysec",) if given.quick else ("everysec", "always")
    modes = (given.appendfsync,) if given.appendfsync else both
    began = time.monotonic()
    if (others := os.getloadavg()[0]) > BUSY:
        progress.print(
            f"[yellow]load {others:.1f}: something else is running here, the numbers will be rough[/]"
        )
    if not load.has_wrk():
        progress.print("wrk is not installed: a slower generator takes its place, see bench/README.md")
    results: dict[str, Any] = {}
    console = Console() if sys.stdout.isatty() else Console(width=150)
    for mode in modes:
        rows: list[report.Row] = []
        samples: dict[str, Any] = {}
        names = given.only or [name for name in MEASUREMENTS if mode == modes[0] or name in WITH_ALWAYS]
        with on_stage(RESULTS, appendfsync=mode, log_level=given.log_level) as stage:
            for name in names:
                progress.rule(f"{name}, appendfsync {mode}")
                try:
                    more, of_it = MEASUREMENTS[name](stage, effort)
                except Exception as exc:  # noqa: BLE001 - the other measurements go on
                    progress.print_exception()
                    more = [report.Row(name=name, value=None, unit="", note=str(exc), is_reached=False)]
                    of_it = {}
                rows += more
                samples |= of_it
        results[mode] = {"rows": rows, "samples": samples}
    for mode, result in results.items():
        console.print(report.table(f"appendfsync {mode}", result["rows"]))
    server = f"{find_server()}"
    report.write(given.output, options=vars(given), redis=server, results=results)
    progress.print(f"took {time.monotonic() - began:,.0f} s")
    missed = [row for result in results.values() for row in result["rows"] if row.is_reached is False]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
