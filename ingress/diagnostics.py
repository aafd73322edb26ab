"""What only an ingress can find out about its surroundings, as JSON: ``hookyard check`` runs and judges it.

It looks at the spool on this machine, also when no ingress runs; it makes and changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

from hookyard.settings.settings import load_or_exit
from ingress.spool.table import FILE

if TYPE_CHECKING:
    from pathlib import Path


def spool_report(directory: Path | None) -> dict[str, Any]:
    """Return how much waits in the spool, and what of it was set aside as damaged."""
    report: dict[str, Any] = {
        "directory": None if directory is None else str(directory),
        "error": None,
        "waiting": 0,
        "damaged": [],
    }
    if directory is None:
        return report
    try:
        report["damaged"] = sorted(
            path.name
            for path in directory.glob(f"{FILE}.damaged-*")
            if not path.name.endswith(("-wal", "-shm"))
        )
        if (directory / FILE).exists():
            # not by way of SpoolFile, which mends what it opens
            with contextlib.closing(sqlite3.connect(_read_only(directory / FILE), uri=True)) as database:
                (report["waiting"],) = database.execute("SELECT COUNT(*) FROM spooled").fetchone()
                (set_aside,) = database.execute("SELECT COUNT(*) FROM set_aside").fetchone()
                report["damaged"] += [f"{set_aside} in {FILE}"] if set_aside else []
    except (OSError, sqlite3.Error) as exc:
        report["error"] = str(exc)
    return report


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def main() -> int:
    """Print the report as one JSON object. Gives the exit code."""
    settings = load_or_exit()
    json.dump(spool_report(settings.spool_dir), sys.stdout)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
