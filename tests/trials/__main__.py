"""The trials: ``make trial NAME=poison``; each says what it does at its head.

A trial holds one promise against what is worst for it: real processes, a real Redis. Exit code 1 when it
was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.chaos.__main__ import conclude

TRIALS: Final = ("poison", "killing", "interpreter_lock", "outage", "full_redis")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials", description=__doc__)
    parser.add_argument("name", choices=TRIALS)
    parser.add_argument("--small", action="store_true", help="as in the tests, instead of in full size")
    parser.add_argument("--keep", action="store_true", help="keep the directory with logs and data")
    chosen = parser.parse_args()
    trial = importlib.import_module(f"tests.trials.{chosen.name}")
    failed = 0
    for size in trial.SMALL if chosen.small else trial.FULL:
        print(f"{chosen.name}: {', '.join(f'{name} {value}' for name, value in size.items())}", flush=True)
        directory = Path(tempfile.mkdtemp(prefix=f"hookyard-{chosen.name}-"))
        verdict = asyncio.run(trial.run(directory, **size))
        failed |= conclude(verdict, directory, keep=chosen.keep)
        print(flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
